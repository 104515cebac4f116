# Table 6b, T = 3: J&F 54.8 (T = 5, the base: 56.0).
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

_sample = dict(type='SampleClip', num_frames=3)
train_pipeline = [_sample, *_base_.clip_steps]
train_dataloader = dict(dataset=dict(anchor_stride=3, pipeline=train_pipeline))
