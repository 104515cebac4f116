# ReferFormer with Video-Swin-T, pre-trained on Kinetics-400. The paper does
# not give its stochastic depth: Video-Swin's own (0.1, 0.2, 0.3 for T, S, B).
_base_ = ['./referformer_r50.py']

model = dict(
    in_channels=[96, 192, 384, 768],
    backbone=dict(
        _delete_=True,
        type='VideoSwinTransformer',
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=[8, 7, 7],
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/'
            'swin3d_t-7615ae03.pth',
        ),
    ),
)
