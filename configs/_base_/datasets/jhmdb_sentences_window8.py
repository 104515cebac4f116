# JHMDB-Sentences, for testing weights trained on A2D-Sentences in windows of
# T = 8.
_base_ = ['./a2d_sentences_window8.py']

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
