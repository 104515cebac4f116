# ReferFormer with Swin-T, pre-trained on ImageNet-1k. The paper does not give
# its stochastic depth: Swin's own rate for dense prediction.
_base_ = ['./referformer_r50.py']

_weights = (
    'https://github.com/SwinTransformer/storage/releases/download/v1.0.0'
)

model = dict(
    in_channels=[96, 192, 384, 768],
    backbone=dict(
        _delete_=True,
        type='FrameSwinTransformer',
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        drop_path_rate=0.2,
        # The checkpoint uses Microsoft's key names.
        convert_weights=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint=f'{_weights}/swin_tiny_patch4_window7_224.pth',
        ),
    ),
)
