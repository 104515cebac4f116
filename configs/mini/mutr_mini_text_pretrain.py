# MUTR on RefVOS-Mini, first stage: what words mean, from single frames, as
# in referformer_mini_pretrain.py. For two processes.
_base_ = [
    '../_base_/models/mutr_mini.py',
    '../_base_/datasets/refvos_mini.py',
    '../_base_/schedules/mini.py',
    '../_base_/mini_runtime.py',
]

train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='SampleClip', num_frames=1)
train_dataloader = dict(
    batch_size=6,
    dataset=dict(
        pipeline=train_pipeline,
        # A single frame does not tell who moves.
        cues=['appearance', 'place', 'relation', 'order'],
    ),
)
# The second stage goes on from here; it brings the rate down to nothing.
param_scheduler = _base_.param_scheduler
param_scheduler[1].eta_min = 2e-4
# Queries are made of the first gathered token: RoBERTa's pooler has no
# gradient.
find_unused_parameters = True
