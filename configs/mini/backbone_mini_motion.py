# backbone_mini.py on the scenes of `make mutr-motion`.
_base_ = ['./backbone_mini.py']

train_dataloader = dict(dataset=dict(data_root='data/refvos-mini-motion'))
