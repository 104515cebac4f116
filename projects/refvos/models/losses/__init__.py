from .clip_set_loss import ClipMaskLoss, ClipOutputs, ClipSetLoss, ClipTargets

__all__ = ['ClipMaskLoss', 'ClipOutputs', 'ClipSetLoss', 'ClipTargets']
