# Joint training (Appendix B): clips of T = 5 of Ref-YouTube-VOS, and of
# warped images of RefCOCO/+/g. Tested on Ref-YouTube-VOS.
_base_ = ['./ref_youtube_vos.py']

num_frames = 5
batch_size = 2
coco_root = 'data/coco'
# As in ref_coco_pretrain.py.
leave_out_tested_images = False

image_pipeline = [
    *_base_.load,
    # The paper names the rotation only; shift and perspective are of the
    # usual size for clips made of images.
    dict(
        type='MakePseudoClip',
        num_frames=num_frames,
        max_rotation=20.0,
        max_shift=0.1,
        max_perspective=0.08,
    ),
    _base_.augment,
    _base_.swap_sides,
    _base_.pack,
]

train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            *[
                dict(
                    type='RefCOCODataset',
                    data_root=coco_root,
                    name=name,
                    split='train',
                    leave_out_tested_images=leave_out_tested_images,
                    pipeline=image_pipeline,
                )
                for name in ('refcoco', 'refcoco+', 'refcocog')
            ],
            _base_.train_dataloader.dataset,
        ],
    ),
)
