# Table VI, N = 3: J&F 61.3 (N = 5, the base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(num_queries=3)
