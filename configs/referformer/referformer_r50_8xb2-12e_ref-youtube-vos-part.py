# ReferFormer, ResNet-50, on the part of Ref-YouTube-VOS that MUTR's Table 3
# uses, trained like MUTR.
_base_ = [
    '../_base_/models/referformer_r50.py',
    '../_base_/datasets/ref_youtube_vos.py',
    '../_base_/schedules/mutr_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(text_encoder=dict(frozen=False))
train_dataloader = dict(
    batch_size=2, dataset=dict(references_per_video=1, item_stride=2)
)
# ReferFormer makes its queries from the sentence.
find_unused_parameters = False
