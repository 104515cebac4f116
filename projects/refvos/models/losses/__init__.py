from .clip_set_loss import ClipOutputs, ClipSetLoss, ClipTargets

__all__ = ['ClipOutputs', 'ClipSetLoss', 'ClipTargets']
