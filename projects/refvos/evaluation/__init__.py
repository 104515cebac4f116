from .jf_metric import JFMetric
from .refcoco_metric import RefCOCOMetric
from .region_boundary import (
    TubeStatistics,
    boundary_f,
    region_similarity,
    tube_statistics,
)
from .submission import RefYouTubeVOSSubmission

__all__ = [
    'JFMetric',
    'RefCOCOMetric',
    'RefYouTubeVOSSubmission',
    'TubeStatistics',
    'boundary_f',
    'region_similarity',
    'tube_statistics',
]
