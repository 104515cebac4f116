# MUTR on RefVOS-Mini's sounds (S4), first stage: the sounding object, in the
# one frame of a clip that has a mask. For two processes.
_base_ = [
    '../_base_/models/mutr_mini.py',
    '../_base_/models/mutr_mini_sound_parts.py',
    '../_base_/datasets/avsbench_mini.py',
    '../_base_/schedules/mini.py',
    '../_base_/mini_runtime.py',
]

model = dict(
    text_encoder=None,
    sound_encoder=_base_.sound_encoder,
)
train_pipeline = [
    dict(type='SampleClip', num_frames=1, distinct=True),
    *_base_.clip_steps,
]
train_dataloader = dict(batch_size=6, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=1000, val_interval=1000)
# The next stage brings the rate down to nothing.
param_scheduler = [
    _base_.warm_up,
    dict(_base_.cosine, end=1000, eta_min=2e-4),
]
