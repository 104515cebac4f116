# Training on scenes whose objects differ only in their motion
# (`make mutr-motion`, `make proxyformer-motion`): clips of four frames. For
# two processes; tools/analysis_tools/ablation_table.py sets the length and
# loads the weights of a model that segments objects already.
_base_ = [
    './datasets/refvos_mini.py',
    './schedules/mini.py',
    './mini_runtime.py',
]

data_root = 'data/refvos-mini-motion'
train_pipeline = [
    dict(type='SampleClip', num_frames=4),
    *_base_.clip_steps,
]
train_dataloader = dict(
    # Each sample is another scene: usually only one object of it moves, and a
    # second reference would describe the same object.
    sampler=dict(references_per_video=1),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
# The start is trained already; a high last rate keeps every row learning to
# its end.
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [_base_.warm_up, dict(_base_.cosine, eta_min=2e-4)]
test_dataloader = dict(dataset=dict(data_root=data_root))
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))
# Each row is scored once, at the end.
train_cfg = dict(val_interval=1000000)
val_dataloader = None
val_cfg = None
val_evaluator = None
# With MTA or CMIE, the sentence vector of the text encoder is unused.
find_unused_parameters = True
