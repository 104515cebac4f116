from .base import BaseReferringDataset
from .object_crops import ObjectCropsDataset
from .ref_youtube_vos import RefYouTubeVOSDataset
from .samplers import InfiniteVideoSampler
from .transforms import *  # noqa: F403

__all__ = [
    'BaseReferringDataset',
    'InfiniteVideoSampler',
    'ObjectCropsDataset',
    'RefYouTubeVOSDataset',
]
