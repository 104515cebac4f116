# Table 7, no MTI: J&F 61.5 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mti=None)
