# RefVOS-Mini in A2D-Sentences's layout, made by
# `tools/dataset_converters/make_mini.py DST --layouts a2d jhmdb`.
_base_ = ['./refvos_mini.py']

dataset_type = 'A2DSentencesDataset'
data_root = 'data/refvos-mini-a2d'
num_frames = 3

_window = dict(type='SampleWindow', num_frames=num_frames)
train_pipeline = [_window, *_base_.clip_steps]
test_pipeline = [_window, *_base_.test_pipeline]

_dataset = dict(type=dataset_type, data_root=data_root)
train_dataloader = dict(dataset=dict(**_dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**_dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**_dataset, pipeline=test_pipeline))
val_evaluator = dict(type='A2DMetric')
test_evaluator = dict(type='A2DMetric')
