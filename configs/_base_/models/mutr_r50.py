# MUTR with ResNet-50: ReferFormer with additive fusion, MTA and MTI.
_base_ = ['./referformer_r50.py', './mutr_parts.py']

model = _base_.mutr
