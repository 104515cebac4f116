# Table VI, N = 1: J&F 59.2 (N = 5, the base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(num_queries=1)
