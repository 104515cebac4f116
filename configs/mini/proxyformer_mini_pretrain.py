# ProxyFormer on RefVOS-Mini, first stage: as ReferFormer's, what words mean,
# from single frames. For two processes.
_base_ = [
    './referformer_mini_pretrain.py',
    '../_base_/models/proxyformer_mini_parts.py',
]

model = _base_.proxyformer
# Proxies read the words: RoBERTa's pooler has no gradient.
find_unused_parameters = True
# An iteration takes 1.07 times as long as ReferFormer's: there are fewer.
max_iters = 4200
train_cfg = dict(max_iters=max_iters, val_interval=1400)
param_scheduler = [
    _base_.warm_up,
    dict(_base_.cosine, end=max_iters, eta_min=2e-4),
]
