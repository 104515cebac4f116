# RefVOS-Mini in Ref-DAVIS17's layout, made and converted by
#   make_mini.py data/refvos-mini --layouts ref-davis17
#   ref_davis17.py data/refvos-mini data/refvos-mini-davis17
# (both in tools/dataset_converters).
_base_ = ['./refvos_mini.py']

dataset_type = 'RefDAVIS17Dataset'
data_root = 'data/refvos-mini-davis17'

_dataset = dict(type=dataset_type, data_root=data_root)
train_dataloader = dict(dataset=_dataset)
val_dataloader = dict(dataset=_dataset)
# `valid` also holds the videos of RefVOS-Mini's `test`.
test_dataloader = dict(dataset=dict(**_dataset, split='valid'))
val_evaluator = dict(type='RefDAVIS17Metric')
test_evaluator = dict(type='RefDAVIS17Metric')
