# MeViS as it lies on disk; clips and augmentation as for Ref-YouTube-VOS.
# The truth of valid_u is public, that of valid is with the server.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'MeViSDataset'
data_root = 'data/mevis'

val_pipeline = [
    dict(type='LoadFrames'),
    dict(type='LoadTubes', as_rle=True),
    *_base_.test_pipeline[1:],
]

train_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
val_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='valid_u',
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = dict(_delete_=True, type='JFMetric')
test_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_evaluator = dict(
    type='MeViSSubmission', outfile_prefix='work_dirs/mevis_submission'
)
