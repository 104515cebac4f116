# The model of referformer_mini_a2d.py, tested on RefVOS-Mini in
# JHMDB-Sentences's layout, which has no training set.
_base_ = ['./referformer_mini_a2d.py']

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='JHMDBSentencesDataset',
        data_root='data/refvos-mini-a2d',
        pipeline=_base_.test_pipeline,
    )
)
