# ReferFormer, Video-Swin-S, fine-tuned on Ref-YouTube-VOS (Table 1).
_base_ = [
    '../_base_/models/referformer_video_swin_s.py',
    '../_base_/datasets/ref_youtube_vos.py',
    '../_base_/schedules/finetune_6e.py',
    '../_base_/default_runtime.py',
]
