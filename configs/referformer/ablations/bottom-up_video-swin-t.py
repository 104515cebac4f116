# Table 4, the base line without queries: J 47.2, F 50.1.
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

loss = _base_.model.loss
model = dict(
    type='BottomUpTransformer',
    clip_frames=5,
    encoder=dict(
        layer_cfg=dict(
            self_attn_cfg=dict(
                _delete_=True,
                embed_dims=_base_.embed_dims,
                num_heads=_base_.num_heads,
                dropout=_base_.dropout,
            )
        )
    ),
    fpn=dict(fuse_words=False),
    loss=dict(
        _delete_=True,
        type='ClipMaskLoss',
        loss_mask=loss.loss_mask,
        loss_dice=loss.loss_dice,
    ),
)
