# As Table IV, its last row: with CMIE and JSC.
_base_ = ['./proxyformer_mini_motion_cmie.py']

model = dict(jsc=dict(_base_.proxyformer.jsc, _delete_=True))
