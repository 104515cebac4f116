# ReferFormer on RefVOS-Mini, third stage: what words mean, from single
# frames. With one query the mask itself has to follow the words; which of five
# queries to trust is learned far more slowly.
_base_ = ['./referformer_mini_pretrain.py']

# Boxes can't be right before the words are understood; at the paper's weights
# their losses drown those of the mask.
model = dict(
    num_queries=1,
    loss=dict(loss_bbox=dict(loss_weight=0.5), loss_iou=dict(loss_weight=0.2)),
)
optim_wrapper = dict(optimizer=dict(lr=7e-4), clip_grad=dict(max_norm=5.0))
train_dataloader = dict(
    dataset=dict(kinds=['appearance', 'place', 'relation', 'order'])
)
train_cfg = dict(max_iters=3000)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 3200
