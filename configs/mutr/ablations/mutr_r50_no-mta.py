# Table 7, no MTA: J&F 60.8 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mta=None)
