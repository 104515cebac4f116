# The weights from which all rows of `make proxyformer-motion` start: masks and
# boxes of objects, trained without CMIE, after the backbone. For two
# processes.
_base_ = ['./ablations/proxyformer_mini_motion_base.py']

max_iters = 800
train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=max_iters)]
