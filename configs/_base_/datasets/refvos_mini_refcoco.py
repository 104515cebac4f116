# RefVOS-Mini in RefCOCO's layout; made by
# `tools/dataset_converters/make_mini.py DST --layouts refcoco`.
dataset_type = 'RefCOCODataset'
data_root = 'data/refvos-mini/coco'
num_frames = 1
# For each of two processes.
batch_size = 6

train_pipeline = [
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
    # Two objects of one image in a batch: only the words tell them apart.
    sampler=dict(type='InfiniteVideoSampler', references_per_video=2),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        name='refcoco',
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
        name='refcoco',
        split='val',
        test_mode=True,
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
        name='refcoco',
        split='testA',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='RefCOCOMetric')
test_evaluator = dict(type='RefCOCOMetric')
