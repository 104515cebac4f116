from .clip_set_loss import (
    ClipMaskLoss,
    ClipSetLoss,
    ClipTargets,
    QueryOutputs,
)
from .contrastive import SymmetricInfoNCE, gather_rows

__all__ = [
    'ClipMaskLoss',
    'ClipSetLoss',
    'ClipTargets',
    'QueryOutputs',
    'SymmetricInfoNCE',
    'gather_rows',
]
