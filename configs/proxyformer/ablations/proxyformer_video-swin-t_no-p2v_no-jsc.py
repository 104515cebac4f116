# Table IV, row 4: pixels do not attend to the proxies: J&F 60.5 (the
# base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(cmie=dict(pixels_read=None))
