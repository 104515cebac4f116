# 200 more iterations of a trained mini model.
_base_ = ['./mini.py']

optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [
    dict(_base_.warm_up, end=20),
    dict(_base_.cosine, begin=20, end=200),
]
train_cfg = dict(max_iters=200, val_interval=200)
