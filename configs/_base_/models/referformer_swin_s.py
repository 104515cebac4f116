# ReferFormer with Swin-S, pre-trained on ImageNet-1k.
_base_ = ['./referformer_swin_t.py']

_weights = (
    'https://github.com/SwinTransformer/storage/releases/download/v1.0.0'
)

model = dict(
    backbone=dict(
        depths=[2, 2, 18, 2],
        init_cfg=dict(
            checkpoint=f'{_weights}/swin_small_patch4_window7_224.pth'
        ),
    ),
)
