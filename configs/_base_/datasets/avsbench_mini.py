# RefVOS-Mini in AVSBench S4's layout; made by
# tools/dataset_converters/make_mini.py DST --layouts avsbench-s4 avsbench-ms3.
dataset_type = 'AVSBenchDataset'
data_root = 'data/refvos-mini-sound'
num_frames = 2
# For each of two processes.
batch_size = 4

train_pipeline = [
    # Of fewer than five frames one is that with the mask.
    dict(type='SampleClip', num_frames=num_frames, distinct=True),
    dict(type='LoadFrames'),
    dict(type='LoadTubes'),
    dict(type='LoadSound'),
    dict(
        type='TransformFrames',
        transforms=[dict(type='RandomFlip', prob=0.5)],
    ),
    dict(type='PackRefInputs'),
]
test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='LoadTubes', as_rle=True),
    dict(type='LoadSound'),
    dict(type='PackRefInputs'),
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        subset='s4',
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
        subset='s4',
        split='val',
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
        subset='s4',
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='AVSBenchMetric')
test_evaluator = dict(type='AVSBenchMetric')
