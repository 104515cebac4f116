# ProxyFormer: 30 epochs; the rate falls by 10 (Section IV-B). The paper does
# not say when: after two thirds, as most of its field.
_base_ = ['./finetune_6e.py']

custom_hooks = []
param_scheduler = [dict(_base_.drops, end=30, milestones=[20])]
train_cfg = dict(max_epochs=30)
