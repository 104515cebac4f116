# ReferFormer on RefVOS-Mini, last stage: clips of two frames, all kinds of
# expressions, from the weights of referformer_mini_pretrain.py
# (`make mini-referformer` runs all stages). For two processes.
_base_ = ['./referformer_mini_pretrain.py']

train_pipeline = [
    dict(type='SampleClip', num_frames=2),
    *_base_.clip_steps,
]
train_dataloader = dict(
    batch_size=4, dataset=dict(pipeline=train_pipeline, cues=None)
)
train_cfg = dict(max_iters=2400, val_interval=2400)
# The backbone now has the same rate as the rest.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=2400)]
