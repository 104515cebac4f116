# ReferFormer, Video-Swin-T, without pre-training on RefCOCO/+/g: the full
# model of Tables 4, 6 and D1. The paper does not give the length: 12 epochs
# with drops after 8 and 10, as for its other trainings that do not fine-tune
# (Appendix B).
_base_ = [
    '../_base_/models/referformer_video_swin_t.py',
    '../_base_/datasets/ref_youtube_vos.py',
    '../_base_/schedules/finetune_6e.py',
    '../_base_/default_runtime.py',
]

train_cfg = dict(max_epochs=12)
param_scheduler = [dict(_base_.drops, end=12, milestones=[8, 10])]
