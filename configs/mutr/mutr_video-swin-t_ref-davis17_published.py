# To test the published MUTR with Video-Swin-T, once it is converted.
_base_ = ['./mutr_video-swin-t_ref-davis17.py']

model = dict(published_habits=True)
