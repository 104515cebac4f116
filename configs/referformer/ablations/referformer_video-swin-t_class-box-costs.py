# Table 6c, matching by class and box: J&F 55.2 (all costs, the base: 56.0).
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

costs = _base_.model.loss.assigner.match_costs
model = dict(loss=dict(assigner=dict(match_costs=costs[:3])))
