# Table VII, K = 3: J&F 61.6 (K = 4, the base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(num_stages=3)
