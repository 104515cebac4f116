# AVSBench S4 in its published layout: clips of five frames, one per second.
# The paper keeps most settings of training with texts (Joint Training
# Datasets); sizes and augmentation are therefore those of Ref-YouTube-VOS.
_base_ = ['./ref_youtube_vos.py', './avsbench_parts.py']

dataset_type = 'AVSBenchDataset'
data_root = 'data/avsbench'
subset = 's4'
batch_size = 2

# All five frames: nothing to sample. Sounds name no sides to swap.
clip_steps = [*_base_.load_sound, _base_.augment, _base_.pack]
train_pipeline = clip_steps
test_pipeline = [*_base_.load_sound_gt, _base_.resize, _base_.pack]

train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        _delete_=True,
        **_base_.s4_train,
        data_root=data_root,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    _delete_=True,
    **_base_.eval_loader,
    dataset=dict(**_base_.s4_val, data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **_base_.s4_test,
        data_root=data_root,
        pipeline=test_pipeline,
    ),
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = dict(_delete_=True, type='AVSBenchMetric')
test_evaluator = dict(_delete_=True, type='AVSBenchMetric')
