# MUTR on RefVOS-Mini, second stage: clips of three frames, all kinds of
# expressions, from the weights of mutr_mini_text_pretrain.py
# (`make mini-mutr-text` runs all stages). For two processes.
_base_ = ['./mutr_mini_text_pretrain.py']

train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='SampleClip', num_frames=3)
train_dataloader = dict(
    batch_size=4, dataset=dict(pipeline=train_pipeline, cues=None)
)
train_cfg = dict(max_iters=2000, val_interval=2000)
# The backbone goes on at the rate of all else.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 2000
param_scheduler[1].eta_min = 1e-5
