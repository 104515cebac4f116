# What all rows of `make mutr-motion` start from, after the backbone: masks and
# boxes of objects, learned without MTA and MTI. For two processes.
_base_ = ['./ablations/mutr_mini_motion_neither.py']

max_iters = 800
train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
param_scheduler[1].eta_min = 1e-5
