# MUTR with Video-Swin-B, pre-trained on ImageNet-22k and Kinetics-400.
_base_ = ['./referformer_video_swin_b.py', './mutr_parts.py']

model = _base_.mutr
