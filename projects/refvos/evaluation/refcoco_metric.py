"""REC and RIS: referring expression comprehension and segmentation."""

from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from mmdet.registry import METRICS
from mmdet.structures.bbox import bbox_overlaps
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..structures import ReferencePrediction, Rle
from .checked_predictions import checked_predictions
from .jf_metric import true_tube
from .table_metric import TableMetric

REC_IOU = 0.5


@METRICS.register_module()
class RefCOCOMetric(TableMetric):
    """Boxes and masks of RefCOCO, RefCOCO+ and RefCOCOg, in percent.

    - ``REC``: share of the expressions whose box has an IoU of at least 0.5
      with the true one (P@0.5). The box is the chosen query's, the truth
      what is annotated, or else the box around the true mask. Left out
      where the model predicts no boxes.
    - ``oIoU`` (RIS): overall IoU of the masks, all intersections over all
      unions.
    - ``mIoU`` (RIS): their IoU averaged over the expressions; 1 where
      nothing is meant and nothing predicted.

    Args:
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another ending, the truth is not known,
            masks or boxes don't fit, or a video has more than one frame.

    Example:
        >>> test_evaluator = dict(type='RefCOCOMetric')
    """

    def score_video(self, sample: dict) -> List[dict]:
        return score_image(sample)

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        return summarize(scored)


def score_image(sample: dict) -> List[dict]:
    """Intersections, unions and IoUs of every expression of an image.

    Args:
        sample: What ``RefDataSample.to_dict()`` gives.

    Returns:
        One table row an expression: pixels, IoUs in percent.
    """
    image = f'image {sample["video_id"]}'
    if sample.get('gt_tubes') is None:
        raise InputError.of(image, 'gt_tubes', None, 'the true masks')
    if len(sample['frame_ids']) != 1:
        raise InputError.of(
            image, 'number of frames', len(sample['frame_ids']), '1'
        )
    rows = []
    for prediction in checked_predictions(sample):
        reference = prediction.reference
        (truth,) = true_tube(sample, reference.object_ids)
        intersection, union = overlap(prediction.masks[0], truth)
        rows.append(
            {
                'video': sample['video_id'],
                'reference': reference.id,
                'text': reference.text,
                'kind': reference.cue,
                'objects': list(reference.object_ids),
                'intersection': intersection,
                'union': union,
                'IoU': 100 * intersection / union if union else 100.0,
                'box IoU': box_iou(sample, prediction, truth),
                'score': float(prediction.score),
            }
        )
    return rows


def overlap(mask: Rle, truth: Rle) -> List[int]:
    """Pixels of the intersection and of the union of two masks."""
    return [
        int(mask_utils.area(mask_utils.merge([mask, truth], intersect=both)))
        for both in (True, False)
    ]


def box_iou(
    sample: dict, prediction: ReferencePrediction, truth: Rle
) -> Optional[float]:
    """IoU of the predicted and the true box in percent; None without one."""
    if not prediction.bboxes:
        return None
    if len(prediction.bboxes) != 1:
        raise InputError.of(
            f'image {sample["video_id"]}',
            f'predictions.{prediction.reference.id}: number of boxes',
            len(prediction.bboxes),
            '1, one a frame',
        )
    true_box = annotated_box(sample, prediction.reference.object_ids)
    if true_box is None:
        x, y, width, height = mask_utils.toBbox(truth).tolist()
        true_box = [x, y, x + width, y + height]
    boxes = torch.tensor([prediction.bboxes[0], true_box], dtype=torch.float64)
    return 100 * float(bbox_overlaps(boxes[:1], boxes[1:])[0, 0])


def annotated_box(
    sample: dict, object_ids: Sequence[str]
) -> Optional[List[float]]:
    """The box around the objects' annotated boxes; None where one lacks."""
    known = sample.get('gt_boxes') or {}
    if not object_ids or any(id not in known for id in object_ids):
        return None
    boxes = np.array([known[id][0] for id in object_ids])
    return [*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist()]


def summarize(rows: List[dict]) -> Dict[str, float]:
    """REC, overall and mean IoU over expressions, in percent."""
    if not rows:
        return dict.fromkeys(('REC', 'oIoU', 'mIoU'), float('nan'))
    metrics = {}
    boxes = [row['box IoU'] for row in rows]
    if None not in boxes:
        hits = np.array(boxes) >= 100 * REC_IOU
        metrics['REC'] = 100 * float(hits.mean())
    intersection, union = (
        sum(row[name] for row in rows) for name in ('intersection', 'union')
    )
    metrics['oIoU'] = 100 * intersection / union if union else 100.0
    metrics['mIoU'] = float(np.mean([row['IoU'] for row in rows]))
    return metrics
