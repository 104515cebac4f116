# Pre-training on RefCOCO/+/g: 12 epochs, drops after 8 and 10 (Appendix B).
# The text encoder is trained, too, at 1e-5: model.text_encoder.frozen=False.
_base_ = ['./finetune_6e.py']

# It starts from scratch: nothing to leave out.
custom_hooks = []
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=12,
        by_epoch=True,
        milestones=[8, 10],
        gamma=0.1,
    )
]
train_cfg = dict(max_epochs=12)
