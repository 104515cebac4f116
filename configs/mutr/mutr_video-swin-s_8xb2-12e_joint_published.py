# To test the published MUTR with Video-Swin-S, once it is converted.
_base_ = ['./mutr_video-swin-s_8xb2-12e_joint.py']

model = dict(published_habits=True)
