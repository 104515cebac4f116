from .clip_match_costs import (
    ClipBBoxL1Cost,
    ClipDiceCost,
    ClipFocalCost,
    ClipGIoUCost,
    ClipMaskFocalCost,
)

__all__ = [
    'ClipBBoxL1Cost',
    'ClipDiceCost',
    'ClipFocalCost',
    'ClipGIoUCost',
    'ClipMaskFocalCost',
]
