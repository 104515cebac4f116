# MUTR, ResNet-50, one model for texts and sounds (Table 3, last row; Table 4
# is mutr_r50_8xb2-12e_text-sound_avsbench-s4.py): part of Ref-YouTube-VOS and
# all of AVSBench S4, each batch from one of the two.
_base_ = [
    './mutr_r50_8xb2-12e_ref-youtube-vos-part.py',
    '../_base_/models/mutr_sound_parts.py',
    '../_base_/datasets/avsbench_parts.py',
]

model = dict(sound_encoder=_base_.mutr_sound.sound_encoder)
# All five frames: nothing to sample. Sounds name no sides to swap.
sound_pipeline = [*_base_.load_sound, _base_.augment, _base_.pack]
train_dataloader = dict(
    batch_sampler=dict(type='OneDatasetBatchSampler'),
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            _base_.train_dataloader.dataset,
            dict(
                **_base_.s4_train,
                data_root='data/avsbench',
                pipeline=sound_pipeline,
            ),
        ],
    ),
)
