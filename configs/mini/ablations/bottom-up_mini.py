# As Table 4: the base line without queries.
_base_ = ['./referformer_mini_base.py']

loss = _base_.model.loss
model = dict(
    type='BottomUpTransformer',
    # T of the training clips.
    clip_frames=2,
    encoder=dict(
        layer_cfg=dict(
            self_attn_cfg=dict(
                _delete_=True,
                embed_dims=_base_.embed_dims,
                num_heads=_base_.num_heads,
                dropout=0.0,
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
# It asks for no sentence, which the text encoder makes.
find_unused_parameters = True
