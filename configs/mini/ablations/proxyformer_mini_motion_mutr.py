# For comparison: MUTR's MTA and MTI instead of CMIE; all else as in the first
# row.
_base_ = ['./mutr_mini_motion_base.py']

model = dict(
    fusion=None,
    decoder=dict(num_layers=3),
    mask_head=dict(controller_layers=2),
)
