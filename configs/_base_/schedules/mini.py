# From scratch on two cores: AdamW, warm-up, cosine to zero.
lr = 1e-3
max_iters = 6500
warmup = 100

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0, norm_type=2),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=False,
        begin=0,
        end=warmup,
    ),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=warmup,
        end=max_iters,
        eta_min=1e-5,
    ),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2000
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
