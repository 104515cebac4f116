# ReferFormer on RefVOS-Mini: `make mini-referformer`.
_base_ = [
    '../_base_/models/referformer_mini.py',
    '../_base_/datasets/refvos_mini.py',
    '../_base_/schedules/mini.py',
    '../_base_/default_runtime.py',
]
