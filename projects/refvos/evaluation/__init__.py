from .a2d_metric import A2DMetric
from .avsbench_metric import AVSBenchMetric
from .jf_metric import JFMetric
from .ref_davis17_metric import RefDAVIS17Metric
from .ref_youtube_vos_metric import RefYouTubeVOSMetric
from .refcoco_metric import RefCOCOMetric
from .region_boundary import (
    TubeStatistics,
    boundary_f,
    region_similarity,
    tube_statistics,
)
from .submission import MeViSSubmission, RefYouTubeVOSSubmission

__all__ = [
    'A2DMetric',
    'AVSBenchMetric',
    'JFMetric',
    'MeViSSubmission',
    'RefCOCOMetric',
    'RefDAVIS17Metric',
    'RefYouTubeVOSMetric',
    'RefYouTubeVOSSubmission',
    'TubeStatistics',
    'boundary_f',
    'region_similarity',
    'tube_statistics',
]
