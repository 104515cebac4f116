# One small MUTR for texts and sounds: single frames of both, a batch of one
# kind, from the weights of vggish_mini.py and mutr_mini_text_pretrain.py: a
# sound is one more way to name what words name already. For two processes.
_base_ = [
    './mutr_mini_text_pretrain.py',
    '../_base_/models/mutr_mini_sound_parts.py',
]

model = dict(sound_encoder=_base_.sound_encoder)
sound_pipeline = [
    dict(type='SampleClip', num_frames=1, distinct=True),
    dict(type='LoadFrames'),
    dict(type='LoadTubes'),
    dict(type='LoadSound'),
    _base_.train_pipeline[3],
    dict(type='PackRefInputs'),
]
train_dataloader = dict(
    # Sounds have one reference a clip.
    sampler=dict(repeat=False),
    batch_sampler=dict(type='OneDatasetBatchSampler'),
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            _base_.train_dataloader.dataset,
            dict(
                type='AVSBenchDataset',
                data_root='data/refvos-mini-sound',
                subset='s4',
                split='train',
                pipeline=sound_pipeline,
            ),
        ],
    ),
)
train_cfg = dict(max_iters=1200, val_interval=1200)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1200
