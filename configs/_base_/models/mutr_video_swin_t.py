# MUTR with Video-Swin-T, pre-trained on Kinetics-400.
_base_ = ['./referformer_video_swin_t.py', './mutr_parts.py']

model = _base_.mutr
