from .base import BaseReferringSegmentor
from .bottom_up import BottomUpTransformer
from .mutr import MUTR
from .pyramid import PyramidSegmentor
from .referformer import ReferFormer

__all__ = [
    'MUTR',
    'BaseReferringSegmentor',
    'BottomUpTransformer',
    'PyramidSegmentor',
    'ReferFormer',
]
