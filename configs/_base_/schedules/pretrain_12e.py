# Pre-training on RefCOCO/+/g: 12 epochs, drops after 8 and 10 (Appendix B).
# The text encoder is trained as well, at 1e-5; the config of the model sets
# model.text_encoder.frozen=False.
_base_ = ['./finetune_6e.py']

# From scratch: there are no class branches to drop.
custom_hooks = []
param_scheduler = [dict(_base_.drops, end=12, milestones=[8, 10])]
train_cfg = dict(max_epochs=12)
