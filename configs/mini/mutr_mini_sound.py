# MUTR on RefVOS-Mini's sounds (S4), second stage: clips of three frames, one
# of them with a mask, from the weights of mutr_mini_sound_pretrain.py
# (`make mini-mutr-sound` runs all stages). For two processes.
_base_ = ['./mutr_mini_sound_pretrain.py']

train_pipeline = _base_.train_pipeline
train_pipeline[0].num_frames = 3
train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=700, val_interval=700)
# The backbone goes on at the rate of all else.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 700
param_scheduler[1].eta_min = 1e-5
