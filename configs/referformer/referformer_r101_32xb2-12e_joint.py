# ReferFormer, ResNet-101, Ref-YouTube-VOS and RefCOCO/+/g together
# (Table 1, with an asterisk).
_base_ = [
    '../_base_/models/referformer_r101.py',
    '../_base_/datasets/joint.py',
    '../_base_/schedules/joint_12e.py',
    '../_base_/default_runtime.py',
]
