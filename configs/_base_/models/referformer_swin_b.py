# ReferFormer with Swin-B, pre-trained on ImageNet-22k.
_base_ = ['./referformer_swin_s.py']

_weights = (
    'https://github.com/SwinTransformer/storage/releases/download/v1.0.0'
)

model = dict(
    in_channels=[128, 256, 512, 1024],
    backbone=dict(
        embed_dims=128,
        num_heads=[4, 8, 16, 32],
        drop_path_rate=0.3,
        init_cfg=dict(
            checkpoint=f'{_weights}/swin_base_patch4_window7_224_22k.pth'
        ),
    ),
)
