# What referformer_mini_a2d.py has taught, tested on RefVOS-Mini in
# JHMDB-Sentences's layout; nothing is trained on it.
_base_ = ['./referformer_mini_a2d.py']

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='JHMDBSentencesDataset',
        data_root='data/refvos-mini-a2d',
        pipeline=_base_.test_pipeline,
    )
)
