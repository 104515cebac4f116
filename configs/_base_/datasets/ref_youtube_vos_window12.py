# Ref-YouTube-VOS as ProxyFormer is trained (Section IV-B): 12 frames in a
# row, flipped and resized to at most 360x640.
_base_ = ['./ref_youtube_vos.py']

num_frames = 12

augment = dict(
    type='TransformFrames',
    transforms=[
        dict(type='RandomFlip', prob=0.5),
        dict(
            type='RandomChoiceResize',
            scales=[(640, side) for side in (288, 312, 336, 360)],
            keep_ratio=True,
            backend='pillow',
        ),
    ],
)
train_pipeline = [
    dict(type='SampleConsecutive', num_frames=num_frames),
    *_base_.load,
    augment,
    _base_.swap_sides,
    _base_.pack,
]
train_dataloader = dict(
    dataset=dict(anchor_stride=num_frames, pipeline=train_pipeline)
)
