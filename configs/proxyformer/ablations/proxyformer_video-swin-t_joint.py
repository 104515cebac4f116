# Table VIII, row d: space and time not decoupled: J&F 63.5 (decoupled, the
# base: 63.0).
_base_ = ['../proxyformer_video-swin-t_8xb1-30e_ref-youtube-vos.py']

model = dict(cmie=dict(joint=True))
