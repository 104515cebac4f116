# Pre-training of the mini models' VGGish: the kind of shape that makes a
# sound, in place of the papers' AudioSet. For two processes.
_base_ = [
    '../_base_/models/mutr_mini_sound_parts.py',
    '../_base_/schedules/mini.py',
    '../_base_/mini_runtime.py',
]

classes = ['circle', 'square', 'triangle', 'star', 'cross', 'ring', 'diamond']

model = dict(
    type='SoundClassifier',
    sound_encoder=_base_.sound_encoder,
    num_classes=len(classes),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='AVSBenchDataset',
        data_root='data/refvos-mini-sound',
        subset='s4',
        split='train',
        pipeline=[
            dict(type='LoadSound'),
            dict(type='PackSoundCategory', classes=classes),
        ],
    ),
)
max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=max_iters)]
val_cfg = None
test_cfg = None
