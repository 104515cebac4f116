# MUTR, ResNet-50, on part of Ref-YouTube-VOS (Table 3, MUTR*): one expression
# per video, every second instance; the rest as in Table 1.
_base_ = [
    '../_base_/models/mutr_r50.py',
    '../_base_/datasets/ref_youtube_vos.py',
    '../_base_/schedules/mutr_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(text_encoder=dict(frozen=False))
train_dataloader = dict(
    batch_size=2, dataset=dict(references_per_video=1, item_stride=2)
)
