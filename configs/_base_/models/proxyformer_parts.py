# What ProxyFormer has besides ReferFormer's parts, with any backbone.
proxyformer = dict(
    type='ProxyFormer',
    # The words reach the pixels through the proxies alone (Figure 2).
    fusion=None,
    num_queries=5,
    num_stages=4,
    # Strides 16 to 64, the first at stride 32.
    cmie_reductions=(2, 1, 1),
    cmie=dict(num_heads=8, dropout=0.1, joint=False, pixels_read='proxies'),
    decoder=dict(num_layers=3),
    mask_head=dict(controller_layers=2),
    jsc=dict(
        type='JointSemanticConsistency',
        parts=('video', 'text'),
        loss_weight=5.0,
    ),
)
