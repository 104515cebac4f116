# As Table IV, its second row: with CMIE.
_base_ = [
    './proxyformer_mini_motion_base.py',
    '../../_base_/models/proxyformer_mini_parts.py',
]

model = dict(
    _base_.proxyformer,
    num_queries=_base_.num_queries,
    jsc=None,
)
