# MUTR, ConvNeXt-L, Ref-YouTube-VOS and RefCOCO/+/g together
# (not in the paper's Table 1).
_base_ = [
    '../_base_/models/mutr_convnext_l.py',
    '../_base_/datasets/joint.py',
    '../_base_/schedules/mutr_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(text_encoder=dict(frozen=False))
