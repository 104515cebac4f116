# ReferFormer on RefVOS-Mini, first stage: what words mean, from single
# frames, as the paper pre-trains on images (Appendix B): twice the scenes in
# the same time. For two processes.
_base_ = [
    '../_base_/models/referformer_mini.py',
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
