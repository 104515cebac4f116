# As Table 7: without MTI.
_base_ = ['./mutr_mini_motion_base.py']

model = dict(mti=None)
