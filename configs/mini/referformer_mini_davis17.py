# The mini ReferFormer goes on for some steps on RefVOS-Mini in Ref-DAVIS17's
# layout and is scored in both protocols.
_base_ = [
    '../_base_/models/referformer_mini.py',
    '../_base_/datasets/refvos_mini_davis17.py',
    '../_base_/schedules/mini.py',
    '../_base_/mini_runtime.py',
]

model = dict(test_cfg=dict(soft_masks=True))
load_from = '{{ fileDirname }}/../../demo/weights/referformer_mini.safetensors'
train_cfg = dict(max_iters=200, val_interval=200)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 20
param_scheduler[1].begin = 20
param_scheduler[1].end = 200
