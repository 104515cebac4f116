# ReferFormer on RefVOS-Mini's videos and on clips of two frames made of its
# images: `make_mini.py DST --layouts ref-youtube-vos refcoco`.
_base_ = ['./referformer_mini.py']

coco_root = 'data/refvos-mini/coco'

image_pipeline = [
    *_base_.load,
    dict(type='MakePseudoClip', num_frames=2, max_shift=0.1),
    _base_.augment,
    _base_.swap_sides,
    _base_.pack,
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            _base_.train_dataloader.dataset,
            dict(
                type='RefCOCODataset',
                data_root=coco_root,
                name='refcoco',
                split='train',
                pipeline=image_pipeline,
            ),
        ],
    ),
)
