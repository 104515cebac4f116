# RefVOS-Mini in MeViS's layout, made by
# tools/dataset_converters/make_mini.py data/refvos-mini --layouts mevis.
_base_ = ['./refvos_mini.py']

dataset_type = 'MeViSDataset'
data_root = 'data/refvos-mini/mevis'

_dataset = dict(type=dataset_type, data_root=data_root)
train_dataloader = dict(dataset=_dataset)
val_dataloader = dict(dataset=dict(**_dataset, split='valid_u'))
# As in the real data set, `valid` has no ground truth.
test_dataloader = dict(dataset=dict(**_dataset, split='valid_u'))
