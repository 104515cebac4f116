# The model of mutr_r50_8xb2-12e_text-sound.py on AVSBench S4 (Table 4).
_base_ = ['./mutr_r50_8xb2-12e_text-sound.py']

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **_base_.s4_test,
        data_root='data/avsbench',
        pipeline=[*_base_.load_sound_gt, _base_.resize, _base_.pack],
    ),
)
test_evaluator = dict(_delete_=True, type='AVSBenchMetric')
