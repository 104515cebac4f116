from .clip_set_loss import (
    ClipMaskLoss,
    ClipSetLoss,
    ClipTargets,
    QueryOutputs,
)
from .contrastive import SymmetricInfoNCE, gather_rows
from .joint_semantic_consistency import JointSemanticConsistency

__all__ = [
    'ClipMaskLoss',
    'ClipSetLoss',
    'ClipTargets',
    'JointSemanticConsistency',
    'QueryOutputs',
    'SymmetricInfoNCE',
    'gather_rows',
]
