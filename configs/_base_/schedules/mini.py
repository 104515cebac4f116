# From scratch on two cores: AdamW, warm-up, cosine to zero.
max_iters = 12000

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2),
    clip_grad=dict(max_norm=1.0, norm_type=2),
)
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=300
    ),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=300,
        end=max_iters,
        eta_min=1e-6,
    ),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2000
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
