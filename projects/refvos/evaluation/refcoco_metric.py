"""REC and RIS: referring expression comprehension and segmentation."""

from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from mmdet.registry import METRICS
from mmdet.structures.bbox import bbox_overlaps
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..structures import ReferencePrediction, Rle
from .samples import (
    checked_gt,
    checked_predictions,
    gt_tube,
    iou_counts,
    reference_row,
    video_name,
)
from .table_metric import TableMetric

REC_IOU = 0.5


@METRICS.register_module()
class RefCOCOMetric(TableMetric):
    """Boxes and masks of RefCOCO, RefCOCO+ and RefCOCOg, in percent.

    - ``REC``: share of the expressions whose box has an IoU of at least 0.5
      with the ground truth (P@0.5). The box is that of the query with the
      best score, the ground truth the annotated box, or else the box around
      the ground-truth mask. A null prediction has no box, which is right
      where nothing is referred to. Left out where the model predicts no
      boxes.
    - ``oIoU`` (RIS): overall IoU of the masks, all intersections over all
      unions.
    - ``mIoU`` (RIS): their IoU averaged over the expressions; 1 where
      nothing is referred to and nothing is predicted.

    Args:
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another suffix, the ground truth is not
            known, masks or boxes do not fit, or a video has more than one
            frame.

    Example:
        >>> test_evaluator = dict(type='RefCOCOMetric')
    """

    def score_video(self, sample: dict) -> List[dict]:
        """Score every expression of an image; see :class:`TableMetric`."""
        checked_gt(sample)
        if len(sample['frame_ids']) != 1:
            raise InputError.of(
                video_name(sample),
                'number of frames',
                len(sample['frame_ids']),
                '1, an image',
            )
        rows = []
        for prediction in checked_predictions(sample):
            (gt,) = gt_tube(sample, prediction.reference.object_ids)
            intersection, union = iou_counts(prediction.masks[0], gt)
            numbers = {
                'intersection': intersection,
                'union': union,
                'IoU': 100 * intersection / union if union else 100.0,
                'box IoU': box_iou(sample, prediction, gt),
            }
            rows.append(reference_row(sample, prediction, numbers))
        return rows

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        """Compute REC, overall and mean IoU over expressions, in percent."""
        if not scored:
            return dict.fromkeys(('REC', 'oIoU', 'mIoU'), float('nan'))
        metrics = {}
        boxes = [row['box IoU'] for row in scored]
        if None not in boxes:
            hits = np.array(boxes) >= 100 * REC_IOU
            metrics['REC'] = 100 * float(hits.mean())
        intersection, union = (
            sum(row[name] for row in scored)
            for name in ('intersection', 'union')
        )
        metrics['oIoU'] = 100 * intersection / union if union else 100.0
        metrics['mIoU'] = float(np.mean([row['IoU'] for row in scored]))
        return metrics


def box_iou(
    sample: dict, prediction: ReferencePrediction, gt: Rle
) -> Optional[float]:
    """Compute the IoU of the predicted and the ground-truth box.

    Args:
        sample: The image.
        prediction: With one box, or with none.
        gt: The ground-truth mask.

    Returns:
        In percent; None where the model predicts no boxes.
    """
    if not prediction.bboxes:
        return None
    if len(prediction.bboxes) != 1:
        raise InputError.of(
            video_name(sample),
            f'predictions.{prediction.reference.id}: number of boxes',
            len(prediction.bboxes),
            '1, one per frame',
        )
    box = gt_box(sample, prediction.reference.object_ids, gt)
    if prediction.is_null:
        return 100.0 if box is None else 0.0
    if box is None:
        return 0.0
    boxes = torch.tensor([prediction.bboxes[0], box], dtype=torch.float64)
    return 100 * float(bbox_overlaps(boxes[:1], boxes[1:])[0, 0])


def gt_box(
    sample: dict, object_ids: Sequence[str], gt: Rle
) -> Optional[List[float]]:
    """Return the box around the objects' annotated boxes: x1, y1, x2, y2.

    The box around their mask where a box is not annotated; None where that
    is empty.
    """
    annotated = sample.get('gt_boxes') or {}
    if object_ids and all(id in annotated for id in object_ids):
        boxes = np.array([annotated[id][0] for id in object_ids])
        return [*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist()]
    if not mask_utils.area(gt):
        return None
    x, y, width, height = mask_utils.toBbox(gt).tolist()
    return [x, y, x + width, y + height]
