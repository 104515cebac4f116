# AVSBench MS3 as it lies on disk; see S4.
_base_ = ['./avsbench_s4.py']

subset = 'ms3'

train_dataloader = dict(dataset=dict(subset=subset))
val_dataloader = dict(dataset=dict(subset=subset))
test_dataloader = dict(dataset=dict(subset=subset))
