from .base import BaseReferringSegmentor
from .bottom_up import BottomUpTransformer
from .referformer import ReferFormer

__all__ = ['BaseReferringSegmentor', 'BottomUpTransformer', 'ReferFormer']
