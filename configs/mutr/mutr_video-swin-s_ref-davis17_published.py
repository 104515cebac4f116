# To test the published MUTR with Video-Swin-S, once it is converted.
_base_ = ['./mutr_video-swin-s_ref-davis17.py']

model = dict(published_habits=True)
