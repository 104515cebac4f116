from .a2d_metric import A2DMetric
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
    'A2DMetric',
    'JFMetric',
    'RefCOCOMetric',
    'RefYouTubeVOSSubmission',
    'TubeStatistics',
    'boundary_f',
    'region_similarity',
    'tube_statistics',
]
