# MUTR, Swin-L, AVSBench S4 (Table 2).
_base_ = [
    '../_base_/models/mutr_swin_l.py',
    '../_base_/models/mutr_sound_parts.py',
    '../_base_/datasets/avsbench_s4.py',
    '../_base_/schedules/mutr_sound_12e.py',
    '../_base_/default_runtime.py',
]

model = _base_.mutr_sound
