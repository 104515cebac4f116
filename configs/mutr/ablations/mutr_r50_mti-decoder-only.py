# Table 6, MTI's decoder alone: J&F 61.2 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mti=dict(num_encoder_layers=0))
