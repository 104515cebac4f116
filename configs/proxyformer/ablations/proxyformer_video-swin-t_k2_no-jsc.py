# Table VII, K = 2: J&F 60.5 (K = 4, the base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(num_stages=2)
