"""J, F and J&F of referring video object segmentation."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..structures import ReferencePrediction, Rle
from .checked_predictions import checked_predictions, frame_size
from .region_boundary import boundary_f, region_similarity
from .table_metric import TableMetric


@METRICS.register_module()
class JFMetric(TableMetric):
    """Region similarity J, boundary accuracy F and their mean, in percent.

    The truth of a reference is the union of the objects it means; all
    background where it means none, or where they are never drawn. J and F
    are averaged over the frames, then over the expressions. Where the data
    set says how expressions tell their object apart, ``J&F/<kind>`` is the
    same over the expressions of that kind.

    Args:
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another ending, the truth is not known,
            or masks don't fit the frames.

    Example:
        >>> val_evaluator = dict(
        ...     type='JFMetric', per_expression_table='expressions.csv')
    """

    def score_video(self, sample: dict) -> List[dict]:
        return score_video(sample)

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        return summarize(scored)


def score_video(sample: dict) -> List[dict]:
    """J and F of every expression of a video.

    Args:
        sample: What ``RefDataSample.to_dict()`` gives.

    Returns:
        One table row an expression; J, F and J&F in percent.
    """
    if sample.get('gt_tubes') is None:
        raise InputError.of(
            f'video {sample["video_id"]}',
            'gt_tubes',
            None,
            'the true masks. Where they are not public, write the results '
            "with dict(type='RefYouTubeVOSSubmission', outfile_prefix=...)",
        )
    rows = []
    for prediction in checked_predictions(sample):
        truth = true_tube(sample, prediction.reference.object_ids)
        j, f = _mean_jf(prediction.masks, truth)
        rows.append(_row(sample, prediction, 100 * j, 100 * f))
    return rows


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


def _mean_jf(masks: List[Rle], truth: List[Rle]) -> Tuple[float, float]:
    """Mean J and F over the frames, 0..1; one frame in memory at a time."""
    scores = []
    for pair in zip(masks, truth, strict=True):
        decoded = mask_utils.decode(list(pair))  # (H, W, 2)
        pred, gt = np.moveaxis(decoded, -1, 0)[:, None]  # (1, H, W) each
        scores.append((region_similarity(pred, gt), boundary_f(pred, gt)))
    j, f = np.mean(scores, axis=0)[:, 0]
    return float(j), float(f)


def _row(
    sample: dict, prediction: ReferencePrediction, j: float, f: float
) -> dict:
    """One expression's row in the table."""
    reference = prediction.reference
    return {
        'video': sample['video_id'],
        'reference': reference.id,
        'text': reference.text,
        'kind': reference.kind,
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
