# AVSBench S4 as it lies on disk: five frames, one a second. The paper keeps
# most of what it trains text with (Joint Training Datasets); so do sizes and
# augmentation here.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'AVSBenchDataset'
data_root = 'data/avsbench'
subset = 's4'
batch_size = 2

# All five frames: nothing to sample.
train_pipeline = [
    *_base_.train_pipeline[1:3],
    dict(type='LoadSound'),
    _base_.train_pipeline[3],
    dict(type='PackRefInputs'),
]
test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='LoadTubes', as_rle=True),
    dict(type='LoadSound'),
    *_base_.test_pipeline[1:],
]

_dataset = dict(type=dataset_type, data_root=data_root, subset=subset)
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        _delete_=True,
        **_dataset,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **_dataset, split='val', test_mode=True, pipeline=test_pipeline
    ),
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **_dataset,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = dict(_delete_=True, type='AVSBenchMetric')
test_evaluator = dict(_delete_=True, type='AVSBenchMetric')
