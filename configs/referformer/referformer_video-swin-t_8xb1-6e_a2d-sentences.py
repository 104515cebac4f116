# ReferFormer, Video-Swin-T, fine-tuned on A2D-Sentences (Table 2).
_base_ = [
    '../_base_/models/referformer_video_swin_t.py',
    '../_base_/datasets/a2d_sentences.py',
    '../_base_/schedules/finetune_6e.py',
    '../_base_/default_runtime.py',
]
