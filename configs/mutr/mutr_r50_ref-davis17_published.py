# To test the published MUTR with ResNet-50, once it is converted.
_base_ = ['./mutr_r50_ref-davis17.py']

model = dict(published_habits=True)
