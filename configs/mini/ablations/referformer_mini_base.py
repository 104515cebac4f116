# The full model of the mini ablations: N = 1, T = 2, one stage, all
# expressions. For two processes; tools/analysis_tools/ablation_table.py sets
# the length and loads the backbone of backbone_mini.py.
_base_ = [
    '../../_base_/models/referformer_mini.py',
    '../../_base_/datasets/refvos_mini.py',
    '../../_base_/schedules/mini.py',
    '../../_base_/mini_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))
# Each row is scored once, at the end.
train_cfg = dict(val_interval=1000000)
val_dataloader = None
val_cfg = None
val_evaluator = None
