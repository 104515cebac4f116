# Table 5, multi-scale, within each frame: J&F 61.3 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mta=dict(temporal=False))
