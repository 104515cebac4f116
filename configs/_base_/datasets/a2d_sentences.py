# A2D-Sentences in its published layout, windows of T = 5 (Appendix B). Sizes
# and augmentation are those of Ref-YouTube-VOS.
_base_ = ['./ref_youtube_vos.py']

dataset_type = 'A2DSentencesDataset'
data_root = 'data/a2d-sentences'
num_frames = 5

_window = dict(type='SampleWindow', num_frames=num_frames)
train_pipeline = [_window, *_base_.clip_steps]
test_pipeline = [_window, *_base_.gt_pipeline]

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
