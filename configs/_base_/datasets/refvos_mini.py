# RefVOS-Mini in Ref-YouTube-VOS's layout, made by
# tools/dataset_converters/make_mini.py.
_base_ = ['./steps.py']

dataset_type = 'RefYouTubeVOSDataset'
data_root = 'data/refvos-mini'
num_frames = 2
# Per process; for two processes.
batch_size = 4

augment = dict(
    type='TransformFrames', transforms=[dict(type='RandomFlip', prob=0.5)]
)
# All steps but the one that samples the frames.
clip_steps = [*_base_.load, augment, _base_.swap_sides, _base_.pack]
train_pipeline = [
    dict(type='SampleClip', num_frames=num_frames),
    *clip_steps,
]
test_pipeline = [*_base_.load_gt, _base_.pack]

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
        # A quick check during training; the test set is scored at the end.
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
