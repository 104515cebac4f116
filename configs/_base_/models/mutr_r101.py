# MUTR with ResNet-101.
_base_ = ['./referformer_r101.py', './mutr_parts.py']

model = _base_.mutr
