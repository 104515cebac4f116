# RefVOS-Mini in RefCOCO's layout, made by
# `tools/dataset_converters/make_mini.py DST --layouts refcoco`.
_base_ = ['./refvos_mini.py']

dataset_type = 'RefCOCODataset'
data_root = 'data/refvos-mini/coco'
num_frames = 1
# Per process; for two processes.
batch_size = 6

# An image is a video of one frame: nothing to sample.
train_pipeline = _base_.clip_steps

_dataset = dict(type=dataset_type, data_root=data_root, name='refcoco')
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(**_dataset, pipeline=train_pipeline),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **_dataset,
        split='val',
        test_mode=True,
        pipeline=_base_.test_pipeline,
    )
)
test_dataloader = dict(dataset=dict(**_dataset, split='testA'))
val_evaluator = dict(type='RefCOCOMetric')
test_evaluator = dict(type='RefCOCOMetric')
