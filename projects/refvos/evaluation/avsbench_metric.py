"""AVSBench: mean IoU and the best F of soft masks."""

from typing import Any, ClassVar, Dict, List, Mapping, Optional

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..structures import ReferencePrediction, Rle, SoftMasks
from ..structures.soft_masks import LINEAR_STEPS
from .samples import (
    checked_gt,
    checked_predictions,
    frame_size,
    gt_tube,
    iou_counts,
    reference_row,
    video_name,
)
from .table_metric import TableMetric

BETA_SQUARED = 0.3


@METRICS.register_module()
class AVSBenchMetric(TableMetric):
    """Mean IoU and F of AVSBench, in percent.

    - ``mIoU`` (J in the papers): IoU of the masks at the model's threshold
      (0.5), averaged over the frames of a clip, then over clips. Where no
      sounding object is visible, it is the IoU of the background: the share
      of the frame that is not predicted.
    - ``F``: F-measure of the soft masks with beta squared 0.3. Each of 255
      thresholds, evenly from 0 to 1, has its mean over the frames of a clip;
      the F of the clip is the best of them. Frames without a visible
      sounding object are left out, and so is a clip of only such frames.
    - ``J&F``: the mean of the two.

    ``F`` and ``J&F`` are left out where the model returns no soft masks: they
    need ``test_cfg.soft_masks='linear'``, which :class:`MetricNeedsHook`
    sets. Frames whose ground truth is not known (``gt_labelled``) are not
    scored, and clips of only such frames are left out. Source: Zhou et al.
    2022, Section 5.1, and their code.

    Args:
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another suffix, the ground truth is not
            known, or masks do not fit the frames.

    Example:
        >>> test_evaluator = dict(type='AVSBenchMetric')
    """

    needs: ClassVar[Mapping[str, Any]] = {'soft_masks': 'linear'}

    def score_video(self, sample: dict) -> List[dict]:
        """Score every reference of a clip; usually there is one.

        Args:
            sample: The dict of ``RefDataSample.to_dict()``.

        Returns:
            One table row per reference, in percent; none where no frame is
            labelled. F is None where it is not known.
        """
        checked_gt(sample)
        labelled = sample.get('gt_labelled')
        known = [
            index
            for index in range(len(sample['frame_ids']))
            if labelled is None or labelled[index]
        ]
        predictions = checked_predictions(sample)
        if not known:
            return []
        rows = []
        for prediction in predictions:
            tube = gt_tube(sample, prediction.reference.object_ids)
            gt_masks = [tube[index] for index in known]
            ious = [
                frame_iou(prediction.masks[index], gt)
                for index, gt in zip(known, gt_masks, strict=True)
            ]
            soft = checked_soft_masks(sample, prediction)
            best = None
            if soft is not None:
                levels = [soft.levels(index) for index in known]
                best = best_f(levels, gt_masks)
            numbers = {
                'IoU': 100 * float(np.mean(ious)),
                'F': None if best is None else 100 * best,
            }
            row = reference_row(sample, prediction, numbers)
            row.update(frames=len(known), soft=soft is not None)
            rows.append(row)
        return rows

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        """Average over clips, in percent."""
        if not scored:
            return dict.fromkeys(('mIoU', 'F', 'J&F'), float('nan'))
        metrics = {'mIoU': float(np.mean([row['IoU'] for row in scored]))}
        if all(row['soft'] for row in scored):
            values = [row['F'] for row in scored if row['F'] is not None]
            metrics['F'] = float(np.mean(values)) if values else float('nan')
            metrics['J&F'] = (metrics['mIoU'] + metrics['F']) / 2
        return metrics


def frame_iou(pred: Rle, gt: Rle) -> float:
    """Compute the IoU of two masks; of the background where gt is empty."""
    intersection, union = iou_counts(pred, gt)
    if not mask_utils.area(gt):
        return 1 - union / mask_utils.decode(gt).size
    return intersection / union


def best_f(levels: List[np.ndarray], gt_masks: List[Rle]) -> Optional[float]:
    """Compute the mean F of the best threshold over frames with an object.

    Args:
        levels: (H, W) uint8 each, linear.
        gt_masks: As many masks.

    Returns:
        0..1; None where no frame has an object.
    """
    curves = [
        f_curve(level, mask_utils.decode(gt).astype(bool))
        for level, gt in zip(levels, gt_masks, strict=True)
        if mask_utils.area(gt)
    ]
    return float(np.mean(curves, 0).max()) if curves else None


def f_curve(levels: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Compute F of a frame at the thresholds k / 254, (255,).

    A pixel is predicted where its probability reaches the threshold; F is 0
    where precision and recall are.

    Args:
        levels: (H, W) uint8, linear.
        gt: (H, W) bool, not empty.
    """
    count = LINEAR_STEPS + 1
    # Number of pixels, and of pixels of the object, that reach each level.
    reached = np.bincount(levels.ravel(), minlength=count)[::-1].cumsum()
    right = np.bincount(levels[gt], minlength=count)[::-1].cumsum()
    reached, right = reached[::-1], right[::-1]
    # (1 + b) p r / (b p + r), with p = right / reached, r = right / gt.
    return (1 + BETA_SQUARED) * right / (BETA_SQUARED * gt.sum() + reached)


def checked_soft_masks(
    sample: dict, prediction: ReferencePrediction
) -> Optional[SoftMasks]:
    """Return the soft masks of a prediction; None if none were kept.

    Raises:
        InputError: If they are not linear, or not one per frame at the size
            of the original frames.
    """
    soft = prediction.soft_masks
    if soft is None:
        return None
    name = f'predictions.{prediction.reference.id}.soft_masks'
    if not soft.linear:
        raise InputError.of(
            video_name(sample),
            f'{name}.linear',
            soft.linear,
            "the soft masks of model.test_cfg.soft_masks='linear'",
        )
    found = (len(soft), *soft.size)
    expected = (len(sample['frame_ids']), *frame_size(sample))
    if found != expected:
        raise InputError.of(
            video_name(sample),
            f'{name}: frames, height, width',
            found,
            f'{expected}, as the frames',
        )
    return soft
