"""J&F of Ref-YouTube-VOS, or its submission where there is no truth."""

from typing import Any, Dict, Optional, Sequence

from mmdet.registry import METRICS
from mmengine.dist import all_gather_object

from ..errors import InputError
from .jf_metric import JFMetric
from .samples import video_name
from .submission import RefYouTubeVOSSubmission


@METRICS.register_module()
class RefYouTubeVOSMetric(JFMetric):
    """J&F where the samples have their ground truth, else a submission.

    The challenge's server, which had the ground truth of the validation
    videos, takes no submissions any more. Where the ground truth lies on
    disk (:class:`RefYouTubeVOSDataset` with ``with_masks='auto'``), the
    numbers are those of :class:`JFMetric`; nothing is written. Without it,
    this is :class:`RefYouTubeVOSSubmission`.

    Args:
        outfile_prefix: See :class:`RefYouTubeVOSSubmission`.
        per_expression_table: See :class:`TableMetric`; only with the ground
            truth.
        num_workers: See :class:`JFMetric`.
        collect_device, prefix, collect_dir: See :class:`TableMetric`. The
            prefix of a submission's number is ``submission`` by default.

    Raises:
        InputError: Some samples have their ground truth and others do not, a
            table is asked for without ground truth, or what the two classes
            raise.

    Example:
        >>> test_evaluator = dict(
        ...     type='RefYouTubeVOSMetric',
        ...     outfile_prefix='work_dirs/referformer/submission')
    """

    def __init__(
        self,
        outfile_prefix: str,
        per_expression_table: Optional[str] = None,
        num_workers: int = 0,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
        collect_dir: Optional[str] = None,
    ) -> None:
        common: Dict[str, Any] = dict(
            collect_device=collect_device,
            prefix=prefix,
            collect_dir=collect_dir,
        )
        super().__init__(
            per_expression_table, num_workers=num_workers, **common
        )
        self.submission = RefYouTubeVOSSubmission(outfile_prefix, **common)
        # Whether the samples so far have their ground truth.
        self.has_truth: Optional[bool] = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score a batch of videos, or write their masks."""
        for sample in data_samples:
            self.check_truth(sample)
        if self.has_truth:
            super().process(data_batch, data_samples)
        else:
            self.submission.process(data_batch, data_samples)

    def check_truth(self, sample: dict) -> None:
        """Raise InputError if a sample is not like the first one."""
        truth = sample.get('gt_tubes')
        has_truth = truth is not None
        if self.has_truth is None:
            self.has_truth = has_truth
        if has_truth != self.has_truth:
            raise InputError.of(
                video_name(sample),
                'gt_tubes',
                truth,
                'the ground truth, as of the videos before'
                if self.has_truth
                else 'None, as of the videos before',
            )
        if not has_truth and self.per_expression_table is not None:
            raise InputError.of(
                type(self).__name__,
                'per_expression_table (--out)',
                self.per_expression_table,
                'None: without the ground truth there are no scores',
            )

    def evaluate(self, size: int) -> Dict[str, float]:
        """Sum up the scores, or finish the submission."""
        # A process may have no sample at all.
        any_truth = any(all_gather_object(self.has_truth))
        self.has_truth = None
        if any_truth:
            return super().evaluate(size)
        return self.submission.evaluate(size)
