# JHMDB-Sentences in its published layout, for testing weights trained on
# A2D-Sentences (Appendix B). It has no training set.
_base_ = ['./a2d_sentences.py']

dataset_type = 'JHMDBSentencesDataset'
data_root = 'data/jhmdb-sentences'

train_dataloader = None
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        pipeline=_base_.test_pipeline,
    )
)
