# MUTR on RefVOS-Mini's sounds (S4), last stage: clips of three frames, one of
# them with a mask, from the weights of mutr_mini_sound_pretrain.py
# (`make mini-mutr-sound` runs all stages). For two processes.
_base_ = ['./mutr_mini_sound_pretrain.py']

train_pipeline = [
    dict(type='SampleClip', num_frames=3, distinct=True),
    *_base_.clip_steps,
]
train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=700, val_interval=700)
# The backbone now has the same rate as the rest.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=700)]
