"""J, F and J&F of referring video object segmentation."""

from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..structures import ReferencePrediction, Rle
from .checked_predictions import checked_predictions, frame_size
from .region_boundary import Outline, outline_f, tolerance_radius
from .table_metric import TableMetric

# The objects that an expression means, and a mask for every frame.
Objects = Tuple[str, ...]
Tube = List[Rle]


@METRICS.register_module()
class JFMetric(TableMetric):
    """Region similarity J, boundary accuracy F and their mean, in percent.

    The truth of a reference is the union of the objects it means; all
    background where it means none, or where they are never drawn. J and F
    are averaged over the frames, then over the expressions. Where the data
    set says how expressions tell their object apart, ``J&F/<kind>`` is the
    same over the expressions of that kind.

    Args:
        num_workers: Processes that score while the model goes on; 0 scores
            in the process itself. Each takes some seconds and some hundred
            megabytes to start: for long test sets.
        args, kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another ending, the truth is not known,
            or masks don't fit the frames.

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
        # Videos whose scores are still being worked out, oldest first.
        self._pending: List[Tuple[Future, dict]] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score a batch of videos, or hand them to the workers."""
        for sample in data_samples:
            tubes = tubes_of(sample)
            if not self.num_workers:
                self.results.append(as_rows(sample, score_tubes(*tubes)))
                continue
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self.num_workers, get_context('forkserver')
                )
            # Masks stay with the worker: the rest is a few words.
            future = self._pool.submit(score_tubes, *tubes)
            self._pending.append((future, without_masks(sample)))
            # Bounded: the model waits where it is faster.
            if len(self._pending) > 4 * self.num_workers:
                self.take_oldest()

    def take_oldest(self) -> None:
        """Wait for the oldest pending video's scores."""
        future, sample = self._pending.pop(0)
        self.results.append(as_rows(sample, future.result()))

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

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        return summarize(scored)


def score_video(sample: dict) -> List[dict]:
    """J and F of every expression of a video.

    Args:
        sample: What ``RefDataSample.to_dict()`` gives.

    Returns:
        One table row an expression; J, F and J&F in percent.
    """
    return as_rows(sample, score_tubes(*tubes_of(sample)))


def tubes_of(
    sample: dict,
) -> Tuple[List[Tuple[Objects, Tube]], Dict[Objects, Tube]]:
    """The masks that a video's scores are worked out of.

    Returns:
        The objects meant and the predicted masks of every expression, and
        the true masks of the objects.

    Raises:
        InputError: The truth is not known, or masks don't fit the frames.
    """
    if sample.get('gt_tubes') is None:
        raise InputError.of(
            f'video {sample["video_id"]}',
            'gt_tubes',
            None,
            'the true masks. Where they are not public, write the results '
            "with dict(type='RefYouTubeVOSSubmission', outfile_prefix=...)",
        )
    asked = [
        (tuple(prediction.reference.object_ids), prediction.masks)
        for prediction in checked_predictions(sample)
    ]
    truths = {
        object_ids: true_tube(sample, object_ids)
        for object_ids in dict.fromkeys(object_ids for object_ids, _ in asked)
    }
    return asked, truths


def score_tubes(
    asked: List[Tuple[Objects, Tube]], truths: Dict[Objects, Tube]
) -> List[Tuple[float, float]]:
    """Mean J and F over the frames of every expression, 0..1.

    Frame by frame, so that the outline of a truth, which several expressions
    share, is worked out once and memory does not grow with the video.
    """
    if not asked:
        return []
    num_frames = len(asked[0][1])
    scores = np.zeros((num_frames, len(asked), 2))
    for frame in range(num_frames):
        outlines: Dict[Objects, Outline] = {}
        for index, (object_ids, masks) in enumerate(asked):
            pred, gt = masks[frame], truths[object_ids][frame]
            if object_ids not in outlines:
                outlines[object_ids] = outline_of(gt)
            scores[frame, index] = (
                overlap(pred, gt),
                outline_f(outline_of(pred), outlines[object_ids]),
            )
    return [(float(j), float(f)) for j, f in scores.mean(0)]


def overlap(pred: Rle, gt: Rle) -> float:
    """Intersection over union without decoding; 1 where both are empty."""
    common = int(mask_utils.area(mask_utils.merge([pred, gt], True)))
    union = int(mask_utils.area(pred)) + int(mask_utils.area(gt)) - common
    return common / union if union else 1.0


def outline_of(rle: Rle) -> Outline:
    """The boundary of a run-length encoded mask."""
    left, top, width, height = (int(v) for v in mask_utils.toBbox(rle))
    box = slice(top, top + max(height, 1)), slice(left, left + max(width, 1))
    mask = mask_utils.decode(rle).view(bool)
    return Outline(mask, tolerance_radius(mask.shape), box)


def as_rows(sample: dict, scores: List[Tuple[float, float]]) -> List[dict]:
    """One table row an expression."""
    return [
        _row(sample, prediction, 100 * j, 100 * f)
        for prediction, (j, f) in zip(
            sample['predictions'], scores, strict=True
        )
    ]


def without_masks(sample: dict) -> dict:
    """What a video's rows need; its masks would stay in memory for them."""
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


def true_tube(sample: dict, object_ids: Sequence[str]) -> List[Rle]:
    """Union of the true masks of some objects, one RLE a frame."""
    num_frames = len(sample['frame_ids'])
    size = frame_size(sample)
    empty = mask_utils.encode(np.zeros(size, np.uint8, order='F'))
    drawn: List[List[Rle]] = [[] for _ in range(num_frames)]
    for object_id in object_ids:
        tube = sample['gt_tubes'].get(object_id)
        if tube is None:
            continue
        _check_truth(sample, object_id, tube)
        for masks, mask in zip(drawn, tube, strict=True):
            if mask is not None:
                masks.append(mask)
    return [mask_utils.merge(masks) if masks else empty for masks in drawn]


def summarize(rows: List[dict]) -> Dict[str, float]:
    """Means over expressions: all of them, and those of each kind."""
    if not rows:
        return dict.fromkeys(('J&F', 'J', 'F'), float('nan'))
    metrics = {
        name: float(np.mean([row[name] for row in rows]))
        for name in ('J&F', 'J', 'F')
    }
    for kind in sorted({row['kind'] for row in rows if row['kind']}):
        scores = [row['J&F'] for row in rows if row['kind'] == kind]
        metrics[f'J&F/{kind}'] = float(np.mean(scores))
    return metrics


def _row(
    sample: dict, prediction: ReferencePrediction, j: float, f: float
) -> dict:
    """One expression's row in the table."""
    reference = prediction.reference
    return {
        'video': sample['video_id'],
        'reference': reference.id,
        'text': reference.text,
        'kind': reference.cue or reference.annotator,
        'objects': list(reference.object_ids),
        'J': j,
        'F': f,
        'J&F': (j + f) / 2,
        'score': float(prediction.score),
        'frames': len(prediction.masks),
    }


def _check_truth(
    sample: dict, object_id: str, tube: List[Optional[Rle]]
) -> None:
    """One true mask a frame, at the frames' own size."""
    video = f'video {sample["video_id"]}'
    frames = sample['frame_ids']
    if len(tube) != len(frames):
        raise InputError.of(
            video,
            f'gt_tubes.{object_id}: number of masks',
            len(tube),
            f'{len(frames)}, one a frame',
        )
    for frame, rle in zip(frames, tube, strict=True):
        if rle is None:
            continue
        if tuple(rle['size']) != frame_size(sample):  # type: ignore[arg-type]
            raise InputError.of(
                video,
                f'gt_tubes.{object_id}: size of the mask of frame {frame}',
                rle['size'],
                f'{list(frame_size(sample))}, the size of the frame',
            )
