# As Table 4: the baseline without queries.
_base_ = ['./referformer_mini_base.py']

model = dict(
    _delete_=True,
    type='BottomUpTransformer',
    data_preprocessor=_base_.model.data_preprocessor,
    embed_dims=_base_.embed_dims,
    in_channels=_base_.model.in_channels,
    # T of the training clips.
    clip_frames=2,
    backbone=_base_.model.backbone,
    text_encoder=_base_.model.text_encoder,
    encoder=dict(
        num_layers=_base_.model.encoder.num_layers,
        layer_cfg=dict(
            self_attn_cfg=dict(
                embed_dims=_base_.embed_dims,
                num_heads=_base_.num_heads,
                dropout=0.0,
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
# The sentence vector of the text encoder is unused.
find_unused_parameters = True
