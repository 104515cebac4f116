# To test the published MUTR with ConvNeXt-L, once it is converted.
_base_ = ['./mutr_convnext-l_8xb2-12e_joint.py']

model = dict(published_habits=True)
