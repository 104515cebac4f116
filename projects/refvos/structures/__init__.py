from .features import (
    Answer,
    FeatureLevel,
    ReferenceTokens,
    VideoFeatures,
    padding_mask_of,
)
from .ref_data_sample import RefDataSample
from .reference import Candidate, Reference, ReferencePrediction, Rle
from .soft_masks import SoftMasks

__all__ = [
    'Answer',
    'Candidate',
    'FeatureLevel',
    'RefDataSample',
    'Reference',
    'ReferencePrediction',
    'ReferenceTokens',
    'Rle',
    'SoftMasks',
    'VideoFeatures',
    'padding_mask_of',
]
