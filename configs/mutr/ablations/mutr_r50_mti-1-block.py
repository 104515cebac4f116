# Table 6, one block of MTI: J&F 60.8 (all, the base: 61.9).
_base_ = ['../mutr_r50_8xb2-12e_joint.py']

model = dict(mti=dict(num_encoder_layers=1, num_decoder_layers=1))
