from .base import BaseReferringDataset
from .ref_youtube_vos import RefYouTubeVOSDataset
from .refcoco import RefCOCODataset
from .samplers import InfiniteVideoSampler
from .transforms import *  # noqa: F403

__all__ = [
    'BaseReferringDataset',
    'InfiniteVideoSampler',
    'RefCOCODataset',
    'RefYouTubeVOSDataset',
]
