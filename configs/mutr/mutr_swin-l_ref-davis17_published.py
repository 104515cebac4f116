# To test the published MUTR with Swin-L, once it is converted.
_base_ = ['./mutr_swin-l_ref-davis17.py']

model = dict(published_habits=True)
