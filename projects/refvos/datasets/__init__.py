from ..engine.resumable_sampler import ResumableBatchSampler
from .a2d_sentences import A2DSentencesDataset
from .avsbench import AVSBenchDataset
from .base import BaseReferringDataset
from .category_maps import CategoryMapsDataset
from .jhmdb_sentences import JHMDBSentencesDataset
from .mevis import MeViSDataset
from .ref_davis17 import RefDAVIS17Dataset
from .ref_youtube_vos import RefYouTubeVOSDataset
from .refcoco import RefCOCODataset
from .samplers import InfiniteVideoSampler, OneDatasetBatchSampler
from .transforms import *  # noqa: F403

__all__ = [
    'A2DSentencesDataset',
    'AVSBenchDataset',
    'BaseReferringDataset',
    'CategoryMapsDataset',
    'InfiniteVideoSampler',
    'OneDatasetBatchSampler',
    'ResumableBatchSampler',
    'JHMDBSentencesDataset',
    'MeViSDataset',
    'RefCOCODataset',
    'RefDAVIS17Dataset',
    'RefYouTubeVOSDataset',
]
