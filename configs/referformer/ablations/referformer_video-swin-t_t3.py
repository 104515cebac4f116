# Table 6b, T = 3: J&F 54.8 (T = 5, the base: 56.0).
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

train_pipeline = _base_.train_pipeline
train_pipeline[0].num_frames = 3
train_dataloader = dict(dataset=dict(anchor_stride=3, pipeline=train_pipeline))
