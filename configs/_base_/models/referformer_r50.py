# ReferFormer with ResNet-50 (Section 4.2: 4 encoder and 4 decoder layers,
# C = 256, N = 5; RoBERTa-base).
embed_dims = 256
num_heads = 8
feedforward_channels = 2048
dropout = 0.1
num_queries = 5

_attention = dict(embed_dims=embed_dims, num_heads=num_heads, dropout=dropout)
_deformable = dict(
    embed_dims=embed_dims,
    num_heads=num_heads,
    num_levels=4,
    num_points=4,
    dropout=dropout,
    batch_first=True,
)
_ffn = dict(
    embed_dims=embed_dims,
    feedforward_channels=feedforward_channels,
    num_fcs=2,
    ffn_drop=dropout,
    act_cfg=dict(type='ReLU', inplace=True),
)

# The weights of matching costs and of losses are the same numbers.
class_cost = dict(type='ClipFocalCost', weight=2.0)
box_costs = [
    dict(type='ClipBBoxL1Cost', weight=5.0),
    dict(type='ClipGIoUCost', weight=2.0),
]
mask_costs = [
    dict(type='ClipMaskFocalCost', weight=2.0),
    dict(type='ClipDiceCost', weight=5.0),
]

model = dict(
    type='ReferFormer',
    data_preprocessor=dict(
        type='RefDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        # Frames are loaded as RGB.
        bgr_to_rgb=False,
        pad_size_divisor=32,
        # The published test code does not pad a single video.
        test_pad_size_divisor=1,
    ),
    embed_dims=embed_dims,
    num_queries=num_queries,
    num_classes=1,
    num_levels=4,
    in_channels=[256, 512, 1024, 2048],
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    text_encoder=dict(
        type='TextEncoder',
        # RoBERTa-base.
        config=dict(
            model_type='roberta',
            vocab_size=50265,
            max_position_embeddings=514,
            type_vocab_size=1,
            layer_norm_eps=1e-5,
            pad_token_id=1,
        ),
        tokenizer='roberta-base',
        pretrained='roberta-base',
        embed_dims=embed_dims,
        frozen=True,
        dropout=0.1,
    ),
    fusion=dict(num_heads=num_heads, combine='multiply'),
    encoder=dict(
        num_layers=4,
        layer_cfg=dict(self_attn_cfg=_deformable, ffn_cfg=_ffn),
    ),
    decoder=dict(
        num_layers=4,
        return_intermediate=True,
        post_norm_cfg=None,
        layer_cfg=dict(
            self_attn_cfg=dict(**_attention, batch_first=True),
            cross_attn_cfg=_deformable,
            ffn_cfg=_ffn,
        ),
    ),
    fpn=dict(
        num_heads=num_heads,
        feedforward_channels=feedforward_channels,
        reductions=(8, 4, 2, 1),
        dropout=dropout,
        fuse_words=True,
    ),
    mask_head=dict(channels=8, relative_coordinates=True),
    loss=dict(
        type='ClipSetLoss',
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[class_cost, *box_costs, *mask_costs],
        ),
        loss_cls=dict(
            type='FocalLoss',
            use_sigmoid=True,
            gamma=2.0,
            alpha=0.25,
            loss_weight=2.0,
        ),
        loss_bbox=dict(type='L1Loss', loss_weight=5.0),
        loss_iou=dict(type='GIoULoss', loss_weight=2.0),
        loss_mask=dict(
            type='FocalLoss',
            use_sigmoid=True,
            gamma=2.0,
            alpha=0.25,
            loss_weight=2.0,
        ),
        loss_dice=dict(
            type='DiceLoss',
            use_sigmoid=True,
            activate=True,
            naive_dice=True,
            eps=1.0,
            loss_weight=5.0,
        ),
    ),
    test_cfg=dict(threshold=0.5),
)
