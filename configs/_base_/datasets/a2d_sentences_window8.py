# A2D-Sentences as ProxyFormer is trained (Section IV-B): windows of T = 8,
# flipped and resized to at most 320x576.
_base_ = ['./a2d_sentences.py']

num_frames = 8

augment = dict(
    type='TransformFrames',
    transforms=[
        dict(type='RandomFlip', prob=0.5),
        dict(
            type='RandomChoiceResize',
            scales=[(576, side) for side in (256, 288, 320)],
            keep_ratio=True,
            backend='pillow',
        ),
    ],
)
resize = dict(
    type='TransformFrames',
    transforms=[
        dict(
            type='Resize', scale=(576, 320), keep_ratio=True, backend='pillow'
        )
    ],
)
_window = dict(type='SampleWindow', num_frames=num_frames)
train_pipeline = [
    _window,
    *_base_.load,
    augment,
    _base_.swap_sides,
    _base_.pack,
]
test_pipeline = [_window, *_base_.load_gt, resize, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
