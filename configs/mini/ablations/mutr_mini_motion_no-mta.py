# As Table 7: without MTA.
_base_ = ['./mutr_mini_motion_base.py']

model = dict(mta=None)
