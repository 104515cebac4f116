# The small MUTR of mutr_mini_joint.py, tested on sounds (S4).
_base_ = ['./mutr_mini_joint.py']

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **_base_.s4_test,
        data_root=_base_.sound_root,
        pipeline=[*_base_.load_sound_gt, _base_.pack],
    )
)
test_evaluator = dict(_delete_=True, type='AVSBenchMetric')
