# ReferFormer, ResNet-50, on the part of Ref-YouTube-VOS of MUTR's Table 3,
# trained as MUTR is there.
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
# Its queries are made of the sentence.
find_unused_parameters = False
