# ReferFormer, Video-Swin-B, tested on Ref-DAVIS17 with weights fine-tuned on
# Ref-YouTube-VOS (Table 1).
_base_ = [
    '../_base_/models/referformer_video_swin_b.py',
    '../_base_/datasets/ref_davis17.py',
    '../_base_/schedules/finetune_6e.py',
    '../_base_/default_runtime.py',
]
