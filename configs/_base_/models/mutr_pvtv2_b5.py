# MUTR with PVTv2-B5, pre-trained on ImageNet-1k. The paper does not give its
# stochastic depth: mmdet's default.
_base_ = ['./mutr_r50.py']

_weights = 'https://github.com/whai362/PVT/releases/download/v2'

model = dict(
    in_channels=[64, 128, 320, 512],
    backbone=dict(
        _delete_=True,
        type='FramePyramidVisionTransformerV2',
        embed_dims=64,
        num_layers=[3, 6, 40, 3],
        num_heads=[1, 2, 5, 8],
        mlp_ratios=[4, 4, 4, 4],
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained', checkpoint=f'{_weights}/pvt_v2_b5.pth'
        ),
    ),
)
