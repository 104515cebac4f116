# One small MUTR for texts and sounds, last stage: clips of three frames, all
# kinds of expressions, from the weights of mutr_mini_joint_pretrain.py
# (`make mini-mutr-joint` runs all stages). For two processes.
_base_ = ['./mutr_mini_joint_pretrain.py']

text_train = dict(
    _base_.text_train,
    cues=None,
    pipeline=[
        dict(type='SampleClip', num_frames=3),
        *_base_.clip_steps,
    ],
)
sound_train = dict(
    _base_.sound_train,
    pipeline=[
        dict(type='SampleClip', num_frames=3, distinct=True),
        *_base_.sound_steps,
    ],
)
train_dataloader = dict(
    batch_size=4, dataset=dict(datasets=[text_train, sound_train])
)
train_cfg = dict(max_iters=1800, val_interval=1800)
# The backbone now has the same rate as the rest.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=None)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=1800)]
