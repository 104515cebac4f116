# To test the published MUTR with Video-Swin-T, once it is converted.
_base_ = ['./mutr_video-swin-t_8xb2-12e_joint.py']

model = dict(published_habits=True)
