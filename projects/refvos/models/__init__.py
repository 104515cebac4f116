from .backbones import FrameSwinTransformer, VideoSwinTransformer
from .backbones.classifier import BackboneClassifier
from .data_preprocessor import RefDataPreprocessor
from .encoders import TextEncoder
from .losses import ClipSetLoss
from .segmentors import BaseReferringSegmentor, ReferFormer
from .task_modules import *  # noqa: F403

__all__ = [
    'BackboneClassifier',
    'BaseReferringSegmentor',
    'ClipSetLoss',
    'FrameSwinTransformer',
    'RefDataPreprocessor',
    'ReferFormer',
    'TextEncoder',
    'VideoSwinTransformer',
]
