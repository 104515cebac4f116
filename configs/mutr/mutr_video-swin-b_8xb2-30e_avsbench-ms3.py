# MUTR, Video-Swin-B, AVSBench MS3 (Table 2).
_base_ = [
    '../_base_/models/mutr_video_swin_b.py',
    '../_base_/models/mutr_sound_parts.py',
    '../_base_/datasets/avsbench_ms3.py',
    '../_base_/schedules/mutr_sound_30e.py',
    '../_base_/default_runtime.py',
]

model = _base_.mutr_sound
