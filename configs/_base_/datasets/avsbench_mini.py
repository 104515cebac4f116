# RefVOS-Mini in AVSBench S4's layout, made by
# tools/dataset_converters/make_mini.py DST --layouts avsbench-s4 avsbench-ms3.
_base_ = ['./refvos_mini.py', './avsbench_parts.py']

dataset_type = 'AVSBenchDataset'
data_root = 'data/refvos-mini-sound'
num_frames = 2

# A sound does not name sides: nothing to swap.
clip_steps = [*_base_.load_sound, _base_.augment, _base_.pack]
train_pipeline = [
    # Of fewer than five frames one is the frame with the mask.
    dict(type='SampleClip', num_frames=num_frames, distinct=True),
    *clip_steps,
]
test_pipeline = [*_base_.load_sound_gt, _base_.pack]

train_dataloader = dict(
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(
        **_base_.s4_train, data_root=data_root, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    dataset=dict(**_base_.s4_val, data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = dict(
    dataset=dict(**_base_.s4_test, data_root=data_root, pipeline=test_pipeline)
)
val_evaluator = dict(type='AVSBenchMetric')
test_evaluator = dict(type='AVSBenchMetric')
