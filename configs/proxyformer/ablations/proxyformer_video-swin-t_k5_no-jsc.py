# Table VII, K = 5: J&F 61.8 (K = 4, the base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(num_stages=5)
