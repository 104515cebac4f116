# To test the published MUTR with ResNet-50, once it is converted.
_base_ = ['./mutr_r50_8xb2-12e_joint.py']

model = dict(published_habits=True)
