# To test the published MUTR with ResNet-101, once it is converted.
_base_ = ['./mutr_r101_ref-davis17.py']

model = dict(published_habits=True)
