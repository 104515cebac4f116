# ProxyFormer with ResNet-50.
_base_ = ['./referformer_r50.py', './proxyformer_parts.py']

model = _base_.proxyformer
