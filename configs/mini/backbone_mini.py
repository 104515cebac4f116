# Pre-training of the mini models' backbone: the shape and fill of each pixel,
# in place of the papers' ImageNet. Without it the models do not learn the
# words for shapes. For two processes.
_base_ = ['../_base_/schedules/mini.py', '../_base_/mini_runtime.py']

_kinds = ('circle', 'square', 'triangle', 'star', 'cross', 'ring', 'diamond')
classes = [f'{f} {k}' for f in ('plain', 'striped', 'dotted') for k in _kinds]

model = dict(
    type='BackboneClassifier',
    data_preprocessor=dict(
        type='mmengine.ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=16,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
    ),
    # Strides 8, 16 and 32: the levels that are fused with the words.
    in_channels=[32, 64, 128],
    num_classes=len(classes),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CategoryMapsDataset',
        data_root='data/refvos-mini',
        classes=classes,
        pipeline=[
            dict(type='LoadCategoryMap'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackCategoryMap'),
        ],
    ),
)
max_iters = 2000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
optim_wrapper = dict(optimizer=dict(lr=2e-3), paramwise_cfg=None)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=max_iters)]
val_cfg = None
test_cfg = None
