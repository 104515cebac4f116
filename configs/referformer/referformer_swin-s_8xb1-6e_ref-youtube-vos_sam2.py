# Table 5 with post-process; see the config with ResNet-50.
_base_ = ['./referformer_swin-s_8xb1-6e_ref-youtube-vos.py']

model = dict(
    test_cfg=dict(
        post_process=dict(
            type='SAM2Propagation',
            checkpoint='checkpoints/sam2.1-hiera-large',
            prompt='mask',
        )
    )
)
