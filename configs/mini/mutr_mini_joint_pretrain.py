# One small MUTR for texts and sounds: single frames of both, one modality per
# batch, from the weights of vggish_mini.py and mutr_mini_text_pretrain.py: a
# sound is one more way to refer to what words refer to already. For two
# processes.
_base_ = [
    './mutr_mini_text_pretrain.py',
    '../_base_/models/mutr_mini_sound_parts.py',
    '../_base_/datasets/avsbench_parts.py',
]

model = dict(sound_encoder=_base_.sound_encoder)
sound_root = 'data/refvos-mini-sound'
# A sound does not name sides: nothing to swap.
sound_steps = [*_base_.load_sound, _base_.augment, _base_.pack]
text_train = _base_.train_dataloader.dataset
sound_train = dict(
    **_base_.s4_train,
    data_root=sound_root,
    pipeline=[
        dict(type='SampleClip', num_frames=1, distinct=True),
        *sound_steps,
    ],
)
train_dataloader = dict(
    # A clip has one sound.
    sampler=dict(repeat=False),
    batch_sampler=dict(type='OneDatasetBatchSampler'),
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[text_train, sound_train],
    ),
)
train_cfg = dict(max_iters=1200, val_interval=1200)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
# The next stage brings the rate down to nothing.
param_scheduler = [
    _base_.warm_up,
    dict(_base_.cosine, end=1200, eta_min=2e-4),
]
