from .cross_modal_fpn import CrossModalFPN, VisionLanguageBlock
from .dynamic_mask_head import DynamicMaskHead
from .fusion import PixelReferenceFusion
from .positional_encoding import sine_positions_1d

__all__ = [
    'CrossModalFPN',
    'DynamicMaskHead',
    'PixelReferenceFusion',
    'VisionLanguageBlock',
    'sine_positions_1d',
]
