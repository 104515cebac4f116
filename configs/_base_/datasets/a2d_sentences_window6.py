# A2D-Sentences in windows of T = 6, from scratch (Table 2).
_base_ = ['./a2d_sentences.py']

num_frames = 6

train_pipeline = _base_.train_pipeline
train_pipeline[0].num_frames = num_frames
test_pipeline = _base_.test_pipeline
test_pipeline[0].num_frames = num_frames
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
