from .cmie import CrossModalInteraction, FrameTokens, SpaceTimeAttention
from .cross_modal_fpn import CrossModalFPN, VisionLanguageBlock
from .deformable_attention import DeformableAttention, use_deformable_attention
from .dynamic_mask_head import DynamicMaskHead
from .fusion import PixelReferenceFusion
from .mta_mti import TemporalAggregation, TemporalInteraction
from .positional_encoding import sine_positions_1d

__all__ = [
    'CrossModalFPN',
    'CrossModalInteraction',
    'DeformableAttention',
    'DynamicMaskHead',
    'FrameTokens',
    'PixelReferenceFusion',
    'SpaceTimeAttention',
    'TemporalAggregation',
    'TemporalInteraction',
    'VisionLanguageBlock',
    'sine_positions_1d',
    'use_deformable_attention',
]
