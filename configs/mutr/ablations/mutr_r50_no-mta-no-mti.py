# Table 7, neither MTA nor MTI: J&F 60.2 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mta=None, mti=None)
