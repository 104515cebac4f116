from .clip_set_loss import ClipMaskLoss, ClipSetLoss, ClipTargets, QueryOutputs

__all__ = ['ClipMaskLoss', 'ClipSetLoss', 'ClipTargets', 'QueryOutputs']
