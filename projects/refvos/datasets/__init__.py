from .base import BaseReferringDataset
from .mevis import MeViSDataset
from .ref_davis17 import RefDAVIS17Dataset
from .ref_youtube_vos import RefYouTubeVOSDataset
from .samplers import InfiniteVideoSampler
from .transforms import *  # noqa: F403

__all__ = [
    'BaseReferringDataset',
    'InfiniteVideoSampler',
    'MeViSDataset',
    'RefDAVIS17Dataset',
    'RefYouTubeVOSDataset',
]
