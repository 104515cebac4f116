# ReferFormer with Video-Swin-S, pre-trained on Kinetics-400.
_base_ = ['./referformer_video_swin_t.py']

model = dict(
    backbone=dict(
        depths=[2, 2, 18, 2],
        drop_path_rate=0.2,
        init_cfg=dict(
            checkpoint='https://download.pytorch.org/models/'
            'swin3d_s-da41c237.pth'
        ),
    ),
)
