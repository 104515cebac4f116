# A2D-Sentences as it lies on disk, windows of T = 5 (Appendix B). Sizes and
# augmentation are those of Ref-YouTube-VOS. A2DMetric's mAP asks the model
# for all its queries: model.test_cfg.candidates=-1.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'A2DSentencesDataset'
data_root = 'data/a2d-sentences'
num_frames = 5

train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='SampleWindow', num_frames=num_frames)
_load, *_resize_and_pack = _base_.test_pipeline
test_pipeline = [
    dict(type='SampleWindow', num_frames=num_frames),
    _load,
    dict(type='LoadTubes', as_rle=True),
    *_resize_and_pack,
]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    )
)
test_evaluator = dict(_delete_=True, type='A2DMetric')
