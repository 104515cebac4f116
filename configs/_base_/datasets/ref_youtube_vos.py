# Ref-YouTube-VOS in its published layout, clips of T = 5 (Section 4.2).
_base_ = ['./steps.py']

dataset_type = 'RefYouTubeVOSDataset'
data_root = 'data/ref-youtube-vos'
num_frames = 5
batch_size = 1

# Short sides of 288 to 512, long side at most 640, as in the published code.
_ladder = dict(
    type='RandomChoiceResize',
    scales=[(640, side) for side in (288, 320, 352, 392, 416, 448, 480, 512)],
    keep_ratio=True,
    # The published code resizes with Pillow.
    backend='pillow',
)
augment = dict(
    type='TransformFrames',
    transforms=[
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        # PhotoMetricDistortion returns floats, some outside 0..255.
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
)
resize = dict(
    type='TransformFrames',
    transforms=[
        dict(
            type='Resize', scale=(640, 360), keep_ratio=True, backend='pillow'
        )
    ],
)

# All steps but the one that samples the frames.
clip_steps = [*_base_.load, augment, _base_.swap_sides, _base_.pack]
train_pipeline = [
    dict(type='SampleClip', num_frames=num_frames),
    *clip_steps,
]
test_pipeline = [*_base_.load_gt_if_there, resize, _base_.pack]
# For test sets whose ground truth is public.
gt_pipeline = [*_base_.load_gt, resize, _base_.pack]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        # As in the published code, one item per T frames of a video.
        anchor_stride=num_frames,
        pipeline=train_pipeline,
    ),
)
val_dataloader = None
val_cfg = None
val_evaluator = None
test_dataloader = dict(
    **_base_.eval_loader,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='valid',
        # J&F where valid/Annotations and the objects of the expressions lie
        # on disk. Else (or with False) the submission, for a server that
        # takes none any more.
        with_masks='auto',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = dict(
    type='RefYouTubeVOSMetric',
    outfile_prefix='work_dirs/ref_youtube_vos_submission',
)
