# Table 6, MTI's encoder alone: J&F 60.3 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mti=dict(num_decoder_layers=0))
