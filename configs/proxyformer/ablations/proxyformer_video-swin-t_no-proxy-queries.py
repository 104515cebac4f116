# Table VIII, row b: pixels attend to the words instead of the proxies: J&F
# 61.0 (the base: 63.0).
_base_ = ['../proxyformer_video-swin-t_8xb1-30e_ref-youtube-vos.py']

model = dict(cmie=dict(pixels_read='words'))
