# ReferFormer on RefVOS-Mini, third stage: clips of two frames, all kinds of
# expressions, from the weights of referformer_mini_pretrain.py
# (`make mini-referformer` runs all three). For two processes.
_base_ = ['./referformer_mini_pretrain.py']

train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='SampleClip', num_frames=2)
train_dataloader = dict(
    batch_size=4, dataset=dict(pipeline=train_pipeline, cues=None)
)
train_cfg = dict(max_iters=2400, val_interval=2400)
# The backbone goes on at the rate of all else.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 2400
param_scheduler[1].eta_min = 1e-5
