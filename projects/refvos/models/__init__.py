from .backbones import FrameSwinTransformer, VideoSwinTransformer
from .data_preprocessor import RefDataPreprocessor
from .encoders import TextEncoder
from .losses import ClipSetLoss
from .segmentors import BaseReferringSegmentor, ReferFormer
from .task_modules import *  # noqa: F403

__all__ = [
    'BaseReferringSegmentor',
    'ClipSetLoss',
    'FrameSwinTransformer',
    'RefDataPreprocessor',
    'ReferFormer',
    'TextEncoder',
    'VideoSwinTransformer',
]
