# ReferFormer, ResNet-101, fine-tuned on Ref-YouTube-VOS (Tables 1 and 5).
_base_ = [
    '../_base_/models/referformer_r101.py',
    '../_base_/datasets/ref_youtube_vos.py',
    '../_base_/schedules/finetune_6e.py',
    '../_base_/default_runtime.py',
]
