from .features import (
    Answer,
    FeatureLevel,
    ReferenceTokens,
    VideoFeatures,
    pack_maps,
    padding_mask_of,
    unpack_maps,
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
    'pack_maps',
    'padding_mask_of',
    'unpack_maps',
]
