# ProxyFormer on RefVOS-Mini, first stage: as ReferFormer's, what words mean,
# from single frames. For two processes.
_base_ = [
    './referformer_mini_pretrain.py',
    '../_base_/models/proxyformer_mini_parts.py',
]

model = _base_.proxyformer
# Proxies read the words: RoBERTa's pooler has no gradient.
find_unused_parameters = True
