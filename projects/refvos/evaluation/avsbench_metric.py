"""AVSBench: mean IoU and the best F of soft masks."""

from typing import Dict, List, Optional

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..structures import ReferencePrediction, Rle, SoftMasks
from ..structures.soft_masks import LINEAR_STEPS
from .checked_predictions import checked_predictions, frame_size
from .jf_metric import true_tube
from .table_metric import TableMetric

BETA_SQUARED = 0.3


@METRICS.register_module()
class AVSBenchMetric(TableMetric):
    """Mean IoU and F of AVSBench, in percent.

    - ``mIoU`` (the papers' J): IoU of the masks, as the model's threshold
      makes them (0.5), averaged over a clip's frames, then over clips. Where
      nothing sounds that can be seen, it is the background's IoU: the share
      of the frame that is left free.
    - ``F``: F-measure of the soft masks with beta squared 0.3. Each of 255
      thresholds, evenly from 0 to 1, has its mean over a clip's frames; the
      clip's F is the best of them. Frames where nothing is to be seen are
      left out, and so is a clip of such frames alone.
    - ``J&F``: the mean of the two.

    ``F`` and ``J&F`` are left out where the model keeps no soft masks, which
    ``test_cfg.keep_soft_masks='linear'`` asks for. Frames whose truth is not
    known (``gt_labelled``) are not scored, and clips of such frames alone
    are left out. Source: Zhou et al. 2022, Section 5.1, and their code.

    Args:
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another ending, the truth is not known,
            or masks don't fit.

    Example:
        >>> test_evaluator = dict(type='AVSBenchMetric')
        >>> model = dict(test_cfg=dict(keep_soft_masks='linear'))
    """

    def score_video(self, sample: dict) -> List[dict]:
        return score_clip(sample)

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        return summarize(scored)


def score_clip(sample: dict) -> List[dict]:
    """IoU and F of every reference of a clip; mostly there is one.

    Args:
        sample: What ``RefDataSample.to_dict()`` gives.

    Returns:
        One table row a reference, in percent; none where no frame is
        labelled. F is None where it is not known.
    """
    clip = f'video {sample["video_id"]}'
    if sample.get('gt_tubes') is None:
        raise InputError.of(clip, 'gt_tubes', None, 'the true masks')
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
        reference = prediction.reference
        tube = true_tube(sample, reference.object_ids)
        truths = [tube[index] for index in known]
        ious = [
            mask_iou(prediction.masks[index], truth)
            for index, truth in zip(known, truths, strict=True)
        ]
        soft = checked_soft_masks(sample, prediction)
        best = None
        if soft is not None:
            levels = [soft.levels(index) for index in known]
            best = best_f(levels, truths)
        rows.append(
            {
                'video': sample['video_id'],
                'reference': reference.id,
                'text': reference.text,
                'kind': reference.cue,
                'objects': list(reference.object_ids),
                'IoU': 100 * float(np.mean(ious)),
                'F': None if best is None else 100 * best,
                'score': float(prediction.score),
                'frames': len(known),
                'soft': soft is not None,
            }
        )
    return rows


def mask_iou(mask: Rle, truth: Rle) -> float:
    """IoU of two masks; the background's where the true one is empty."""
    union = int(mask_utils.area(mask_utils.merge([mask, truth])))
    if not mask_utils.area(truth):
        return 1 - union / mask_utils.decode(truth).size
    both = mask_utils.merge([mask, truth], intersect=True)
    return int(mask_utils.area(both)) / union


def best_f(levels: List[np.ndarray], truths: List[Rle]) -> Optional[float]:
    """The best threshold's mean F over the frames that show something.

    Args:
        levels: (H, W) uint8 each, linear.
        truths: As many masks.

    Returns:
        0..1; None where no frame shows anything.
    """
    curves = [
        f_curve(level, mask_utils.decode(truth).astype(bool))
        for level, truth in zip(levels, truths, strict=True)
        if mask_utils.area(truth)
    ]
    return float(np.mean(curves, 0).max()) if curves else None


def f_curve(levels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """F at the thresholds k / 254, (255,), of a frame that shows something.

    A pixel is the object's where it is as likely as the threshold, or more;
    F is 0 where precision and recall are.
    """
    count = LINEAR_STEPS + 1
    # How many pixels, and how many of the object's, reach each level.
    reached = np.bincount(levels.ravel(), minlength=count)[::-1].cumsum()
    right = np.bincount(levels[truth], minlength=count)[::-1].cumsum()
    reached, right = reached[::-1], right[::-1]
    # (1 + b) p r / (b p + r), with p = right / reached, r = right / truth.
    return (1 + BETA_SQUARED) * right / (BETA_SQUARED * truth.sum() + reached)


def checked_soft_masks(
    sample: dict, prediction: ReferencePrediction
) -> Optional[SoftMasks]:
    """The soft masks of a prediction, one a frame; None if none were kept."""
    soft = prediction.soft_masks
    if soft is None:
        return None
    clip = f'video {sample["video_id"]}'
    name = f'predictions.{prediction.reference.id}.soft_masks'
    if not soft.linear:
        raise InputError.of(
            clip,
            f'{name}.linear',
            soft.linear,
            "what model.test_cfg.keep_soft_masks='linear' gives",
        )
    found = (len(soft), *soft.size)
    expected = (len(sample['frame_ids']), *frame_size(sample))
    if found != expected:
        raise InputError.of(
            clip,
            f'{name}: frames, height, width',
            found,
            f'{expected}, as the frames',
        )
    return soft


def summarize(rows: List[dict]) -> Dict[str, float]:
    """Means over clips, in percent."""
    if not rows:
        return dict.fromkeys(('mIoU', 'F', 'J&F'), float('nan'))
    metrics = {'mIoU': float(np.mean([row['IoU'] for row in rows]))}
    if all(row['soft'] for row in rows):
        scores = [row['F'] for row in rows if row['F'] is not None]
        metrics['F'] = float(np.mean(scores)) if scores else float('nan')
        metrics['J&F'] = (metrics['mIoU'] + metrics['F']) / 2
    return metrics
