# RefVOS-Mini in A2D-Sentences's layout; made by
# `tools/dataset_converters/make_mini.py DST --layouts a2d jhmdb`.
_base_ = ['./refvos_mini.py']

dataset_type = 'A2DSentencesDataset'
data_root = 'data/refvos-mini-a2d'
num_frames = 3

train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='SampleWindow', num_frames=num_frames)
test_pipeline = [
    dict(type='SampleWindow', num_frames=num_frames),
    *_base_.test_pipeline,
]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=data_root, pipeline=train_pipeline
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=data_root, pipeline=test_pipeline
    )
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=data_root, pipeline=test_pipeline
    )
)
val_evaluator = dict(type='A2DMetric')
test_evaluator = dict(type='A2DMetric')
