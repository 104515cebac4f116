from .decoded import DecodedVideo, MaskPyramid
from .features import (
    Answer,
    EncodedReferences,
    FeatureLevel,
    ReferenceTokens,
    VideoFeatures,
    pack_maps,
    padding_mask_of,
    unpack_maps,
)
from .ref_data_sample import RefDataSample
from .reference import (
    MODALITIES,
    Candidate,
    Reference,
    ReferencePrediction,
    Rle,
    clean_text,
    shared_object,
)
from .soft_masks import SoftMasks

__all__ = [
    'MODALITIES',
    'Answer',
    'Candidate',
    'DecodedVideo',
    'EncodedReferences',
    'FeatureLevel',
    'MaskPyramid',
    'RefDataSample',
    'Reference',
    'ReferencePrediction',
    'ReferenceTokens',
    'Rle',
    'SoftMasks',
    'VideoFeatures',
    'clean_text',
    'pack_maps',
    'padding_mask_of',
    'shared_object',
    'unpack_maps',
]
