# From scratch on two cores: AdamW, warm-up, cosine.
lr = 1e-3
warmup = 100
max_iters = 4500

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='GroupedOptimWrapperConstructor',
    # One fused update of the many small tensors saves a tenth of the time.
    optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-4, fused=True),
    # The backbone is pre-trained (configs/mini/backbone_mini.py).
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.5)}),
    clip_grad=dict(max_norm=5.0, norm_type=2),
)
warm_up = dict(
    type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=warmup
)
cosine = dict(
    type='CosineAnnealingLR',
    by_epoch=False,
    begin=warmup,
    end=max_iters,
    eta_min=1e-5,
)
param_scheduler = [warm_up, cosine]
train_cfg = dict(
    type='ResumableIterTrainLoop', max_iters=max_iters, val_interval=1500
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
