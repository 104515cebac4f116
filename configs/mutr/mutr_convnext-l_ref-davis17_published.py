# To test the published MUTR with ConvNeXt-L, once it is converted.
_base_ = ['./mutr_convnext-l_ref-davis17.py']

model = dict(published_habits=True)
