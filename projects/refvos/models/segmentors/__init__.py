from .base import BaseReferringSegmentor
from .referformer import ReferFormer

__all__ = ['BaseReferringSegmentor', 'ReferFormer']
