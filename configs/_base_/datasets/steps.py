# Pipeline steps and loader settings that the data sets share.
load = [dict(type='LoadFrames'), dict(type='LoadTubes')]
# For a metric: ground truth at the frames' own size, as RLE.
load_gt = [dict(type='LoadFrames'), dict(type='LoadTubes', as_rle=True)]
# The same where the ground truth lies on disk, and else nothing.
load_gt_if_there = [
    dict(type='LoadFrames'),
    dict(type='LoadTubes', as_rle=True, optional=True),
]
# After a horizontal flip.
swap_sides = dict(type='SwapSidesInText')
pack = dict(type='PackRefInputs')

# One video at a time, in order.
eval_loader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
