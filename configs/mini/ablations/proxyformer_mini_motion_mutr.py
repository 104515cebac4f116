# For comparison: MUTR's MTA and MTI instead of CMIE; all else as in the first
# row.
_base_ = [
    '../../_base_/models/mutr_mini.py',
    '../../_base_/mini_motion.py',
]

model = dict(
    num_queries=5,
    fpn=dict(fuse_words=False),
    fusion=None,
    decoder=dict(num_layers=3),
    mask_head=dict(controller_layers=2),
)
