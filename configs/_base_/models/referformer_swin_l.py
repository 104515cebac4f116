# ReferFormer with Swin-L, pre-trained on ImageNet-22k.
_base_ = ['./referformer_swin_b.py']

_weights = (
    'https://github.com/SwinTransformer/storage/releases/download/v1.0.0'
)

model = dict(
    in_channels=[192, 384, 768, 1536],
    backbone=dict(
        embed_dims=192,
        num_heads=[6, 12, 24, 48],
        init_cfg=dict(
            checkpoint=f'{_weights}/swin_large_patch4_window7_224_22k.pth'
        ),
    ),
)
