# A2D-Sentences from scratch (Table 2): as long as pre-training, with less
# weight decay.
_base_ = ['./pretrain_12e.py']

optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
