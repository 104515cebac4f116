# To test the published MUTR with Video-Swin-B, once it is converted.
_base_ = ['./mutr_video-swin-b_8xb2-12e_joint.py']

model = dict(published_habits=True)
