# Table 6, two blocks of MTI: J&F 61.1 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mti=dict(num_encoder_layers=2, num_decoder_layers=2))
