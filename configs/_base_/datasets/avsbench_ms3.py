# AVSBench MS3 in its published layout; the rest as for S4.
_base_ = ['./avsbench_s4.py']

subset = 'ms3'

train_dataloader = dict(dataset=dict(subset=subset))
val_dataloader = dict(dataset=dict(subset=subset))
test_dataloader = dict(dataset=dict(subset=subset))
