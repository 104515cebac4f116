# MUTR with Video-Swin-S, pre-trained on Kinetics-400.
_base_ = ['./referformer_video_swin_s.py', './mutr_parts.py']

model = _base_.mutr
