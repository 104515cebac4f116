from .a2d_sentences import A2DSentencesDataset
from .base import BaseReferringDataset
from .jhmdb_sentences import JHMDBSentencesDataset
from .mevis import MeViSDataset
from .object_crops import ObjectCropsDataset
from .ref_davis17 import RefDAVIS17Dataset
from .ref_youtube_vos import RefYouTubeVOSDataset
from .refcoco import RefCOCODataset
from .samplers import InfiniteVideoSampler
from .transforms import *  # noqa: F403

__all__ = [
    'A2DSentencesDataset',
    'BaseReferringDataset',
    'InfiniteVideoSampler',
    'JHMDBSentencesDataset',
    'MeViSDataset',
    'ObjectCropsDataset',
    'RefCOCODataset',
    'RefDAVIS17Dataset',
    'RefYouTubeVOSDataset',
]
