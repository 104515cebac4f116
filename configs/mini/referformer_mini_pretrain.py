# ReferFormer on RefVOS-Mini, first stage: the words, on single frames, as the
# paper pre-trains on images (Appendix B): twice the scenes in the same time.
# For two processes.
_base_ = [
    '../_base_/models/referformer_mini.py',
    '../_base_/datasets/refvos_mini.py',
    '../_base_/schedules/mini.py',
    '../_base_/mini_runtime.py',
]

train_pipeline = [
    dict(type='SampleClip', num_frames=1),
    *_base_.clip_steps,
]
train_dataloader = dict(
    batch_size=6,
    dataset=dict(
        pipeline=train_pipeline,
        # A single frame does not show motion.
        cues=['appearance', 'place', 'relation', 'order'],
    ),
)
# The next stage brings the rate down to nothing.
param_scheduler = [_base_.warm_up, dict(_base_.cosine, eta_min=2e-4)]
