# Table 5, two blocks of MTA: J&F 60.7 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mta=dict(num_blocks=2))
