# To test the published MUTR with Video-Swin-B, once it is converted.
_base_ = ['./mutr_video-swin-b_ref-davis17.py']

model = dict(published_habits=True)
