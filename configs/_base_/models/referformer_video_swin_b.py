# ReferFormer with Video-Swin-B, pre-trained on ImageNet-22k and Kinetics-400.
_base_ = ['./referformer_video_swin_s.py']

model = dict(
    in_channels=[128, 256, 512, 1024],
    backbone=dict(
        embed_dims=128,
        num_heads=[4, 8, 16, 32],
        drop_path_rate=0.3,
        init_cfg=dict(
            checkpoint='https://download.pytorch.org/models/'
            'swin3d_b_22k-7c6ae6fa.pth'
        ),
    ),
)
