# As Table 7, its first row: without MTA and MTI.
_base_ = ['./mutr_mini_motion_base.py']

model = dict(mta=None, mti=None)
