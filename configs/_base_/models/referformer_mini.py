# ReferFormer small enough to train from scratch on two cores: the parts of
# the ResNet-50 config with fewer channels and layers.
_base_ = ['./referformer_r50.py']

embed_dims = 64
num_heads = 4
feedforward_channels = 256
# With one query the mask itself must follow the words; a model with five
# learns to score them far more slowly.
num_queries = 1

_attention = dict(embed_dims=embed_dims, num_heads=num_heads, dropout=0.0)
_deformable = dict(**_attention, num_levels=4, num_points=4, batch_first=True)
_ffn = dict(
    embed_dims=embed_dims,
    feedforward_channels=feedforward_channels,
    ffn_drop=0.0,
)

model = dict(
    embed_dims=embed_dims,
    num_queries=num_queries,
    in_channels=[16, 32, 64, 128],
    backbone=dict(
        depth=18,
        base_channels=16,
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    text_encoder=dict(
        config=dict(
            vocab_size=600,
            hidden_size=96,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=192,
            max_position_embeddings=66,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        tokenizer='{{ fileDirname }}/../../mini/tokenizer',
        pretrained=None,
        frozen=False,
        embed_dims=embed_dims,
        dropout=0.0,
    ),
    fusion=dict(num_heads=num_heads),
    encoder=dict(
        num_layers=3,
        layer_cfg=dict(self_attn_cfg=_deformable, ffn_cfg=_ffn),
    ),
    decoder=dict(
        num_layers=4,
        layer_cfg=dict(
            self_attn_cfg=_attention,
            cross_attn_cfg=_deformable,
            ffn_cfg=_ffn,
        ),
    ),
    fpn=dict(
        num_heads=num_heads,
        feedforward_channels=feedforward_channels,
        dropout=0.0,
    ),
    # Boxes are wrong until the words are understood; at the paper's weights
    # their losses outweigh those of the mask.
    loss=dict(loss_bbox=dict(loss_weight=0.5), loss_iou=dict(loss_weight=0.2)),
)
