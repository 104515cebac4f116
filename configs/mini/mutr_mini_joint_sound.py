# The small MUTR of mutr_mini_joint.py, scored on what sounds (S4).
_base_ = ['./mutr_mini_joint.py']

# AVSBench's F compares soft masks with thresholds.
model = dict(test_cfg=dict(soft_masks='linear'))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='AVSBenchDataset',
        data_root='data/refvos-mini-sound',
        subset='s4',
        split='test',
        test_mode=True,
        pipeline=[
            dict(type='LoadFrames'),
            dict(type='LoadTubes', as_rle=True),
            dict(type='LoadSound'),
            dict(type='PackRefInputs'),
        ],
    )
)
test_evaluator = dict(_delete_=True, type='AVSBenchMetric')
