# MUTR on RefVOS-Mini, last stage: clips of three frames, all kinds of
# expressions, from the weights of mutr_mini_text_pretrain.py
# (`make mini-mutr-text` runs all stages). For two processes.
_base_ = ['./mutr_mini_text_pretrain.py']

train_pipeline = [
    dict(type='SampleClip', num_frames=3),
    *_base_.clip_steps,
]
train_dataloader = dict(
    batch_size=4, dataset=dict(pipeline=train_pipeline, cues=None)
)
train_cfg = dict(max_iters=2000, val_interval=2000)
# The backbone now has the same rate as the rest.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=2000)]
