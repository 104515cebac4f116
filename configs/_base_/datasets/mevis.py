# MeViS in its published layout; clips and augmentation of Ref-YouTube-VOS.
# The ground truth of valid_u is public, that of valid is with the server.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'MeViSDataset'
data_root = 'data/mevis'

val_pipeline = _base_.gt_pipeline

train_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
val_dataloader = dict(
    _delete_=True,
    **_base_.eval_loader,
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
test_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=data_root, with_masks=False)
)
test_evaluator = dict(
    _delete_=True,
    type='MeViSSubmission',
    outfile_prefix='work_dirs/mevis_submission',
)
