# Table IV, row 2: CMIE without JSC: J&F 62.0 (with, the base: 63.0).
_base_ = ['../proxyformer_video-swin-t_8xb1-30e_ref-youtube-vos.py']

model = dict(jsc=None)
