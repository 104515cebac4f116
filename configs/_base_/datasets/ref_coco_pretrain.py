# RefCOCO, RefCOCO+ and RefCOCOg together, T = 1, two images per GPU
# (Appendix B). An image that is in one set's test split and in another's
# training split is not removed. Tested on RefCOCO.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'RefCOCODataset'
data_root = 'data/coco'
num_frames = 1
batch_size = 2

# An image is a video of one frame: nothing to sample.
train_pipeline = _base_.clip_steps
test_pipeline = _base_.gt_pipeline

train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                type=dataset_type,
                data_root=data_root,
                name=name,
                split='train',
                pipeline=train_pipeline,
            )
            for name in ('refcoco', 'refcoco+', 'refcocog')
        ],
    ),
)
val_dataloader = dict(
    _delete_=True,
    **_base_.eval_loader,
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
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        name='refcoco',
        split='testA',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = dict(_delete_=True, type='RefCOCOMetric')
test_evaluator = dict(_delete_=True, type='RefCOCOMetric')
