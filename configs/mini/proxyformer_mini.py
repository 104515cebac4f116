# ProxyFormer on RefVOS-Mini, second stage: as ReferFormer's, clips of two
# frames, all kinds of expressions, from the weights of
# proxyformer_mini_pretrain.py (`make mini-proxyformer` runs all stages). For
# two processes.
_base_ = [
    './referformer_mini.py',
    '../_base_/models/proxyformer_mini_parts.py',
]

model = _base_.proxyformer
# Proxies read the words: RoBERTa's pooler has no gradient.
find_unused_parameters = True
# An iteration takes 1.2 times as long as ReferFormer's: there are fewer.
max_iters = 2100
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=max_iters)]
