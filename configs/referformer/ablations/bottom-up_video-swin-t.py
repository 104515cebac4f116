# Table 4, the baseline without queries: J 47.2, F 50.1.
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

model = dict(
    _delete_=True,
    type='BottomUpTransformer',
    data_preprocessor=_base_.model.data_preprocessor,
    embed_dims=_base_.embed_dims,
    in_channels=_base_.model.in_channels,
    clip_frames=5,
    backbone=_base_.model.backbone,
    text_encoder=_base_.model.text_encoder,
    encoder=dict(
        num_layers=_base_.model.encoder.num_layers,
        layer_cfg=dict(
            self_attn_cfg=dict(
                embed_dims=_base_.embed_dims,
                num_heads=_base_.num_heads,
                dropout=_base_.dropout,
            ),
            ffn_cfg=_base_.model.encoder.layer_cfg.ffn_cfg,
        ),
    ),
    fpn=dict(fuse_words=False),
    loss=dict(
        type='ClipMaskLoss',
        loss_mask=_base_.model.loss.loss_mask,
        loss_dice=_base_.model.loss.loss_dice,
    ),
    test_cfg=_base_.model.test_cfg,
)
