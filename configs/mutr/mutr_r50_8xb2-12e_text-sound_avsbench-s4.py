# The model of mutr_r50_8xb2-12e_text-sound.py on AVSBench S4 (Table 4).
_base_ = ['./mutr_r50_8xb2-12e_text-sound.py']

# AVSBench's F compares soft masks with thresholds.
model = dict(test_cfg=dict(soft_masks='linear'))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='AVSBenchDataset',
        data_root='data/avsbench',
        subset='s4',
        split='test',
        test_mode=True,
        pipeline=[
            dict(type='LoadFrames'),
            dict(type='LoadTubes', as_rle=True),
            dict(type='LoadSound'),
            *_base_.test_pipeline[1:],
        ],
    ),
)
test_evaluator = dict(_delete_=True, type='AVSBenchMetric')
