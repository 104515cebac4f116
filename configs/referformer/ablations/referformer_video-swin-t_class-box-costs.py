# Table 6c, matching by class and box: J&F 55.2 (all costs, the base: 56.0).
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

_costs = [_base_.class_cost, *_base_.box_costs]
model = dict(loss=dict(assigner=dict(match_costs=_costs)))
