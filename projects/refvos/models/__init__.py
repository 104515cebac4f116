from .backbones import (
    FrameConvNeXt,
    FramePyramidVisionTransformerV2,
    FrameSwinTransformer,
    VGGish,
    VideoSwinTransformer,
)
from .classifiers import BackboneClassifier, SoundClassifier
from .data_preprocessor import RefDataPreprocessor
from .encoders import SoundEncoder, TextEncoder
from .losses import ClipMaskLoss, ClipSetLoss, SymmetricInfoNCE
from .post_process import SAM2Propagation
from .segmentors import (
    MUTR,
    BaseReferringSegmentor,
    BottomUpTransformer,
    PyramidSegmentor,
    ReferFormer,
    TestConfig,
)
from .task_modules import *  # noqa: F403

__all__ = [
    'MUTR',
    'BackboneClassifier',
    'BaseReferringSegmentor',
    'BottomUpTransformer',
    'ClipMaskLoss',
    'ClipSetLoss',
    'FrameConvNeXt',
    'FramePyramidVisionTransformerV2',
    'FrameSwinTransformer',
    'PyramidSegmentor',
    'RefDataPreprocessor',
    'ReferFormer',
    'SAM2Propagation',
    'SoundClassifier',
    'SoundEncoder',
    'SymmetricInfoNCE',
    'TestConfig',
    'TextEncoder',
    'VGGish',
    'VideoSwinTransformer',
]
