# Ref-DAVIS17 as converted by tools/dataset_converters/ref_davis17.py; clips
# and augmentation of Ref-YouTube-VOS.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'RefDAVIS17Dataset'
data_root = 'data/ref-davis17'

test_pipeline = _base_.gt_pipeline

train_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        with_masks=True,
        pipeline=test_pipeline,
    )
)
test_evaluator = dict(_delete_=True, type='RefDAVIS17Metric')
