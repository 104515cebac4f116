# ReferFormer on RefVOS-Mini in RefCOCO's layout, from scratch, T = 1.
_base_ = [
    '../_base_/models/referformer_mini.py',
    '../_base_/datasets/refvos_mini_refcoco.py',
    '../_base_/schedules/mini.py',
    '../_base_/mini_runtime.py',
]
