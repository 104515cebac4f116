# MUTR on scenes whose objects only their motion tells apart
# (`make mutr-motion`): clips of four frames. For two processes;
# tools/analysis_tools/ablation_table.py sets the length, and has it start
# from the weights of ../mutr_mini_motion_start.py, which finds objects.
_base_ = [
    '../../_base_/models/mutr_mini.py',
    '../../_base_/datasets/refvos_mini.py',
    '../../_base_/schedules/mini.py',
    '../../_base_/mini_runtime.py',
]

data_root = 'data/refvos-mini-motion'
model = dict(
    # A query for each object of a frame, for MTI to relate over time.
    num_queries=5,
    # The pyramid's pixels would look at other frames, too, in every row:
    # without, frames meet in MTA and MTI alone.
    fpn=dict(fuse_words=False),
)

train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='SampleClip', num_frames=4)
train_dataloader = dict(
    # Every sample is a scene of its own: mostly, only what moves is spoken of
    # in it, and a second reference would say the same.
    sampler=dict(references_per_video=1),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
# The start has learned most; no row is to end while it still learns.
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[1].eta_min = 2e-4
test_dataloader = dict(dataset=dict(data_root=data_root))
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))
# All rows are scored once, in the end.
train_cfg = dict(val_interval=1000000)
val_dataloader = None
val_cfg = None
val_evaluator = None
# With MTA, nothing asks for the sentence, which the text encoder makes.
find_unused_parameters = True
