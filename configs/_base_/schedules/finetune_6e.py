# Fine-tuning on Ref-YouTube-VOS: 6 epochs, drops after 3 and 5 (Appendix B).
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='GroupedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=5e-4),
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.5),
            # 1e-5, in configs that train the text encoder.
            'text_encoder.model': dict(lr_mult=0.1),
        }
    ),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
drops = dict(
    type='MultiStepLR',
    begin=0,
    end=6,
    by_epoch=True,
    milestones=[3, 5],
    gamma=0.1,
)
param_scheduler = [drops]
train_cfg = dict(type='ResumableEpochTrainLoop', max_epochs=6)
test_cfg = dict(type='TestLoop')
# Start from the weights of load_from, without the class branches.
custom_hooks = [dict(type='DropKeysHook', prefixes=['class_branches.'])]
