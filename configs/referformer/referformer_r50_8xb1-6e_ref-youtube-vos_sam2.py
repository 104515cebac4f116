# ReferFormer, ResNet-50, with the post-process of Table 5 (J&F 59.4 there,
# with CFBI): SAM 2 carries the best frame's mask through the video. For
# testing; where SAM 2 lies:
# --cfg-options model.test_cfg.post_process.checkpoint=DIR
_base_ = ['./referformer_r50_8xb1-6e_ref-youtube-vos.py']

model = dict(
    test_cfg=dict(
        post_process=dict(
            type='SAM2Propagation',
            checkpoint='checkpoints/sam2.1-hiera-large',
            prompt='mask',
        )
    )
)
