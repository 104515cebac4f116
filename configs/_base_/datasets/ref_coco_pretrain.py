# RefCOCO, RefCOCO+ and RefCOCOg together, T = 1, two images per GPU
# (Appendix B). Tested on RefCOCO.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'RefCOCODataset'
data_root = 'data/coco'
num_frames = 1
batch_size = 2
# The published code trains also on images that another of the three sets has
# in its validation or test split. True leaves them out, for numbers on
# RefCOCO/+/g; for one run: --cfg-options
# train_dataloader.dataset.datasets.0.leave_out_tested_images=True, and 1, 2.
leave_out_tested_images = False

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
                leave_out_tested_images=leave_out_tested_images,
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
