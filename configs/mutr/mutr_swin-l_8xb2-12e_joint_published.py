# To test the published MUTR with Swin-L, once it is converted.
_base_ = ['./mutr_swin-l_8xb2-12e_joint.py']

model = dict(published_habits=True)
