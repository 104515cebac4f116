# One small MUTR for texts and sounds, last stage: clips of three frames,
# all kinds of expressions, from the weights of mutr_mini_joint_pretrain.py
# (`make mini-mutr-joint` runs all stages). For two processes.
_base_ = ['./mutr_mini_joint_pretrain.py']

train_dataloader = _base_.train_dataloader
train_dataloader.batch_size = 4
train_dataloader.dataset.datasets[0].cues = None
train_dataloader.dataset.datasets[0].pipeline[0].num_frames = 3
train_dataloader.dataset.datasets[1].pipeline[0].num_frames = 3
train_cfg = dict(max_iters=1800, val_interval=1800)
# The backbone goes on at the rate of all else.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1800
param_scheduler[1].eta_min = 1e-5
