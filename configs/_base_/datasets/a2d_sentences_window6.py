# A2D-Sentences in windows of T = 6, from scratch (Table 2).
_base_ = ['./a2d_sentences.py']

num_frames = 6

_window = dict(type='SampleWindow', num_frames=num_frames)
train_pipeline = [_window, *_base_.clip_steps]
test_pipeline = [_window, *_base_.gt_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
