# Table V: the text's semantics alone: J&F 62.2 (with the video's, the base:
# 63.0).
_base_ = ['../proxyformer_video-swin-t_8xb1-30e_ref-youtube-vos.py']

model = dict(jsc=dict(parts=('text',)))
