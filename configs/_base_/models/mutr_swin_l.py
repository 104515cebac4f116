# MUTR with Swin-L, pre-trained on ImageNet-22k.
_base_ = ['./referformer_swin_l.py', './mutr_parts.py']

model = _base_.mutr
