# What a small ProxyFormer has besides a small ReferFormer's parts.
_base_ = ['./proxyformer_parts.py']

proxyformer = dict(
    num_queries=1,
    # Of a small frame stride 32 leaves 3 by 4 pixels.
    cmie_reductions=(1, 1, 1),
    cmie=dict(num_heads=4, dropout=0.0),
)
