# RefVOS-Mini in Ref-YouTube-VOS's layout; made by
# tools/dataset_converters/make_mini.py.
dataset_type = 'RefYouTubeVOSDataset'
data_root = 'data/refvos-mini'
num_frames = 2
# For each of two processes.
batch_size = 4

train_pipeline = [
    dict(type='SampleClip', num_frames=num_frames),
    dict(type='LoadFrames'),
    dict(type='LoadTubes'),
    dict(
        type='TransformFrames',
        transforms=[dict(type='RandomFlip', prob=0.5)],
    ),
    dict(type='SwapSidesInText'),
    dict(type='PackRefInputs'),
]
test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='LoadTubes', as_rle=True),
    dict(type='PackRefInputs'),
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    persistent_workers=True,
    # Two objects of one scene in a batch: only the words tell them apart.
    sampler=dict(type='InfiniteVideoSampler', references_per_video=2),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='valid',
        test_mode=True,
        # A look in between; the test set is scored in the end.
        indices=20,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='JFMetric')
test_evaluator = dict(type='JFMetric')
