from .jf_metric import JFMetric
from .ref_davis17_metric import RefDAVIS17Metric
from .region_boundary import (
    TubeStatistics,
    boundary_f,
    region_similarity,
    tube_statistics,
)
from .submission import MeViSSubmission, RefYouTubeVOSSubmission

__all__ = [
    'JFMetric',
    'MeViSSubmission',
    'RefDAVIS17Metric',
    'RefYouTubeVOSSubmission',
    'TubeStatistics',
    'boundary_f',
    'region_similarity',
    'tube_statistics',
]
