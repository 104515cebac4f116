# Table 5, temporal, the coarsest level only: J&F 60.4 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mta=dict(num_levels=1))
