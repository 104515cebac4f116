# ReferFormer on RefVOS-Mini, second stage: learning to see kinds. Every
# expression is the same and the class is the object's kind (the class-aware
# form of Table D1), so that it has to be read from the pixels. It stands in
# for the pretrained backbone that the paper starts from.
_base_ = ['./referformer_mini_pretrain.py']

train_pipeline = _base_.train_pipeline
train_pipeline[4] = dict(type='SetText', text='the object')
classes = ['circle', 'square', 'triangle', 'star', 'cross', 'ring', 'diamond']
train_dataloader = dict(
    dataset=dict(pipeline=train_pipeline, metainfo=dict(classes=classes))
)
model = dict(num_classes=len(classes))
train_cfg = dict(max_iters=500)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 4000
