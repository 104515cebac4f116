# Table VI, N = 7: J&F 62.1 (N = 5, the base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(num_queries=7)
