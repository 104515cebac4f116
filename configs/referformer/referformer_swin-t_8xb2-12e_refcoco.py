# ReferFormer, Swin-T, pre-training on RefCOCO/+/g (Appendix B).
_base_ = [
    '../_base_/models/referformer_swin_t.py',
    '../_base_/datasets/ref_coco_pretrain.py',
    '../_base_/schedules/pretrain_12e.py',
    '../_base_/default_runtime.py',
]

# Trained here, frozen in fine-tuning.
model = dict(text_encoder=dict(frozen=False))
