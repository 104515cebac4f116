# Table 6b, T = 1: J&F 50.0 (T = 5, the base: 56.0).
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

train_pipeline = _base_.train_pipeline
train_pipeline[0].num_frames = 1
train_dataloader = dict(dataset=dict(anchor_stride=1, pipeline=train_pipeline))
