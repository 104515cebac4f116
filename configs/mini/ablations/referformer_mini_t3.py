# As Table 6b: clips of three frames.
_base_ = ['./referformer_mini_base.py']

train_pipeline = _base_.train_pipeline
train_pipeline[0].num_frames = 3
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
