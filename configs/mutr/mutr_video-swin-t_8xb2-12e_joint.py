# MUTR, Video-Swin-T, Ref-YouTube-VOS and RefCOCO/+/g together
# (Table 1).
_base_ = [
    '../_base_/models/mutr_video_swin_t.py',
    '../_base_/datasets/joint.py',
    '../_base_/schedules/mutr_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(text_encoder=dict(frozen=False))
