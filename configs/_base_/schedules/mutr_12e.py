# MUTR on RefCOCO/+/g and Ref-YouTube-VOS together: 12 epochs, drops after 8
# and 10; the backbone at 6e-6, the text encoder at 1e-5.
_base_ = ['./pretrain_12e.py']

optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.06)})
)
# MTA makes the queries from the first token, so the sentence is unused and
# RoBERTa's pooler has no gradient.
find_unused_parameters = True
