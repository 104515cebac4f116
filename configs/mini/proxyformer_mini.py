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
