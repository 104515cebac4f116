# Table 6a, N = 3: J&F 54.2 (N = 5, the base: 56.0).
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

model = dict(num_queries=3)
