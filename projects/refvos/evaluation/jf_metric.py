"""J, F and J&F of referring video object segmentation."""

from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils

from ..processes import end_with_parent
from ..structures import Rle
from .region_boundary import Outline, outline_f, tolerance_radius
from .samples import (
    Objects,
    Tube,
    checked_gt,
    checked_predictions,
    gt_tube,
    iou_counts,
    reference_row,
)
from .table_metric import TableMetric


@METRICS.register_module()
class JFMetric(TableMetric):
    """Region similarity J, boundary accuracy F and their mean, in percent.

    The ground truth of a reference is the union of the objects it refers to;
    all background where it refers to none, or where they are not visible. J
    and F are averaged over the frames, then over the expressions. Where the
    data set names the kinds of expressions, ``J&F/<kind>`` is the mean over
    the expressions of that kind.

    Args:
        num_workers: Number of processes that score while the model
            continues; 0 scores in the process itself. Each takes some seconds
            and some hundred megabytes to start: for long test sets.
        args, kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another suffix, the ground truth is not
            known, or masks do not fit the frames.

    Example:
        >>> val_evaluator = dict(
        ...     type='JFMetric', per_expression_table='expressions.csv')
    """

    def __init__(
        self, *args: Any, num_workers: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.num_workers = num_workers
        self._pool: Optional[ProcessPoolExecutor] = None
        # Videos that the workers are scoring, oldest first.
        self._pending: List[Tuple[Future, dict]] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score a batch of videos, or hand them to the workers."""
        if not self.num_workers:
            super().process(data_batch, data_samples)
            return
        for sample in data_samples:
            tubes = collect_tubes(sample)
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self.num_workers,
                    get_context('forkserver'),
                    initializer=end_with_parent,
                )
            future = self._pool.submit(score_tubes, *tubes)
            self._pending.append((future, without_masks(sample)))
            # Bounded: the model waits where it is faster.
            if len(self._pending) > 4 * self.num_workers:
                self.take_oldest()

    def take_oldest(self) -> None:
        """Wait for the scores of the oldest pending video."""
        future, sample = self._pending.pop(0)
        self.results.append(make_rows(sample, future.result()))

    def evaluate(self, size: int) -> dict:
        """Wait for the workers, then sum up; see ``BaseMetric``."""
        try:
            while self._pending:
                self.take_oldest()
        finally:
            self._pending.clear()
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
                self._pool = None
        return super().evaluate(size)

    def score_video(self, sample: dict) -> List[dict]:
        """Score every expression of a video; see :class:`TableMetric`."""
        return make_rows(sample, score_tubes(*collect_tubes(sample)))

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        """Average over all expressions, and over those of each kind."""
        names = ('J&F', 'J', 'F')
        if not scored:
            return dict.fromkeys(names, float('nan'))
        metrics = {
            name: float(np.mean([row[name] for row in scored]))
            for name in names
        }
        for kind in sorted({row['kind'] for row in scored if row['kind']}):
            values = [row['J&F'] for row in scored if row['kind'] == kind]
            metrics[f'J&F/{kind}'] = float(np.mean(values))
        return metrics


def collect_tubes(
    sample: dict,
) -> Tuple[List[Tuple[Objects, Tube]], Dict[Objects, Tube]]:
    """Collect the masks from which a video is scored.

    Returns:
        The objects and the predicted masks of every expression, and the
        ground truth of these objects.

    Raises:
        InputError: If the ground truth is not known, or masks do not fit the
            frames.
    """
    checked_gt(sample)
    predicted = [
        (tuple(prediction.reference.object_ids), prediction.masks)
        for prediction in checked_predictions(sample)
    ]
    objects = dict.fromkeys(object_ids for object_ids, _ in predicted)
    return predicted, {each: gt_tube(sample, each) for each in objects}


def score_tubes(
    predicted: List[Tuple[Objects, Tube]], gt_tubes: Dict[Objects, Tube]
) -> List[Tuple[float, float]]:
    """Average J and F of every expression over the frames, 0..1.

    Frame by frame, so that the outline of a ground-truth mask, which several
    expressions share, is computed once and memory does not grow with the
    video.
    """
    if not predicted:
        return []
    num_frames = len(predicted[0][1])
    scores = np.zeros((num_frames, len(predicted), 2))
    for frame in range(num_frames):
        outlines: Dict[Objects, Outline] = {}
        for index, (object_ids, masks) in enumerate(predicted):
            pred, gt = masks[frame], gt_tubes[object_ids][frame]
            if object_ids not in outlines:
                outlines[object_ids] = outline_of(gt)
            intersection, union = iou_counts(pred, gt)
            scores[frame, index] = (
                intersection / union if union else 1.0,
                outline_f(outline_of(pred), outlines[object_ids]),
            )
    return [(float(j), float(f)) for j, f in scores.mean(0)]


def outline_of(rle: Rle) -> Outline:
    """Return the boundary of a run-length encoded mask."""
    left, top, width, height = (int(v) for v in mask_utils.toBbox(rle))
    box = slice(top, top + max(height, 1)), slice(left, left + max(width, 1))
    mask = mask_utils.decode(rle).view(bool)
    return Outline(mask, tolerance_radius(mask.shape), box)


def make_rows(sample: dict, scores: List[Tuple[float, float]]) -> List[dict]:
    """Make the table rows of a video, in percent.

    Args:
        sample: The video with its predictions.
        scores: J and F of each of them, 0..1.
    """
    rows = []
    for prediction, (j, f) in zip(sample['predictions'], scores, strict=True):
        j, f = 100 * j, 100 * f
        numbers = {'J': j, 'F': f, 'J&F': (j + f) / 2}
        row = reference_row(sample, prediction, numbers)
        rows.append({**row, 'frames': len(prediction.masks)})
    return rows


def without_masks(sample: dict) -> dict:
    """Return what the rows of a video need.

    The masks would stay in memory until the video is scored.
    """
    return {
        'video_id': sample['video_id'],
        'predictions': [
            replace(
                each,
                masks=[None] * len(each.masks),
                candidates=[],
                soft_masks=None,
            )
            for each in sample['predictions']
        ],
    }
