from .base import BaseReferringSegmentor
from .bottom_up import BottomUpTransformer
from .mutr import MUTR
from .proxyformer import ProxyFormer
from .pyramid import PyramidSegmentor
from .referformer import ReferFormer
from .test_config import TestConfig

__all__ = [
    'MUTR',
    'BaseReferringSegmentor',
    'BottomUpTransformer',
    'ProxyFormer',
    'PyramidSegmentor',
    'ReferFormer',
    'TestConfig',
]
