# MUTR on RefVOS-Mini's sounds (S4), first stage: what sounds, from the one
# frame of a clip that has a mask. For two processes.
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
    # AVSBench's F compares soft masks with thresholds.
    test_cfg=dict(soft_masks='linear'),
)
train_pipeline = _base_.train_pipeline
train_pipeline[0].num_frames = 1
train_dataloader = dict(batch_size=6, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=1000, val_interval=1000)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1000
# The second stage goes on from here; it brings the rate down to nothing.
param_scheduler[1].eta_min = 2e-4
