# As Table 6b: clips of three frames.
_base_ = ['./referformer_mini_base.py']

train_pipeline = [
    dict(type='SampleClip', num_frames=3),
    *_base_.clip_steps,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
