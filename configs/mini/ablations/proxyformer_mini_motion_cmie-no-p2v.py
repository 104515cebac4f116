# As Table IV: with CMIE, whose pixels do not attend to the proxies.
_base_ = ['./proxyformer_mini_motion_cmie.py']

model = dict(cmie=dict(pixels_read=None))
