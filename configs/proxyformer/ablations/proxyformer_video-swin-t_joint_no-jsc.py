# Table IV, row 3: CMIE*, space and time not decoupled: J&F 62.3
# (decoupled, the base: 62.0).
_base_ = ['./proxyformer_video-swin-t_no-jsc.py']

model = dict(cmie=dict(joint=True))
