# Ref-YouTube-VOS as it lies on disk, clips of T = 5 (Section 4.2).
dataset_type = 'RefYouTubeVOSDataset'
data_root = 'data/ref-youtube-vos'
num_frames = 5
batch_size = 1

# Short sides of 288 to 512, long side at most 640, as the published code.
_ladder = dict(
    type='RandomChoiceResize',
    scales=[(640, side) for side in (288, 320, 352, 392, 416, 448, 480, 512)],
    keep_ratio=True,
    # The published code resizes with Pillow.
    backend='pillow',
)

train_pipeline = [
    dict(type='SampleClip', num_frames=num_frames),
    dict(type='LoadFrames'),
    dict(type='LoadTubes'),
    dict(
        type='TransformFrames',
        transforms=[
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            # It gives floats, some beyond 0..255.
            dict(type='RoundPixels'),
            dict(
                type='RandomChoice',
                transforms=[
                    [_ladder],
                    [
                        dict(
                            type='RandomChoiceResize',
                            scales=[(4200, side) for side in (400, 500, 600)],
                            keep_ratio=True,
                            backend='pillow',
                        ),
                        dict(
                            type='RandomCrop',
                            crop_type='absolute_range',
                            crop_size=(384, 600),
                            recompute_bbox=True,
                            # A frame without the object stays in its clip.
                            allow_negative_crop=True,
                        ),
                        _ladder,
                    ],
                ],
            ),
        ],
    ),
    dict(type='SwapSidesInText'),
    dict(type='PackRefInputs'),
]

test_pipeline = [
    dict(type='LoadFrames'),
    dict(
        type='TransformFrames',
        transforms=[
            dict(
                type='Resize',
                scale=(640, 360),
                keep_ratio=True,
                backend='pillow',
            )
        ],
    ),
    dict(type='PackRefInputs'),
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        # The published code makes one item of every T frames of a video.
        anchor_stride=num_frames,
        pipeline=train_pipeline,
    ),
)
val_dataloader = None
val_cfg = None
val_evaluator = None
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='valid',
        # The truth of the validation videos is with the challenge's server.
        with_masks=False,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = dict(
    type='RefYouTubeVOSSubmission',
    outfile_prefix='work_dirs/ref_youtube_vos_submission',
)
