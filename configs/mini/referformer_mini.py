# ReferFormer on RefVOS-Mini, second stage: clips of two frames, from the weights
# of referformer_mini_pretrain.py (`make mini-referformer`). For two processes.
_base_ = [
    '../_base_/models/referformer_mini.py',
    '../_base_/datasets/refvos_mini.py',
    '../_base_/schedules/mini.py',
    '../_base_/mini_runtime.py',
]

max_iters = 3000
train_cfg = dict(max_iters=max_iters, val_interval=1500)
optim_wrapper = dict(optimizer=dict(lr=7e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=100,
        end=max_iters,
        eta_min=1e-6,
    ),
]
