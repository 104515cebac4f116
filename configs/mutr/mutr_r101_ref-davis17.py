# MUTR, ResNet-101, tested on Ref-DAVIS17 with the weights of the joint
# training (Table 1).
_base_ = [
    '../_base_/models/mutr_r101.py',
    '../_base_/datasets/ref_davis17.py',
    '../_base_/schedules/mutr_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(text_encoder=dict(frozen=False))
