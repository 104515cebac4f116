"""Precision, IoU and mAP of A2D-Sentences and JHMDB-Sentences."""

import contextlib
import io
from typing import Any, ClassVar, Dict, List, Mapping, Tuple

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

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

PRECISIONS = (0.5, 0.6, 0.7, 0.8, 0.9)
# As published, only in the mean IoU: avoids a division by zero.
EPSILON = 1e-6


@METRICS.register_module()
class A2DMetric(TableMetric):
    """Masks of single annotated frames, in percent.

    Of the mask of the query with the best score:

    - ``P@0.5`` ... ``P@0.9``: share of the expressions whose IoU is above;
    - ``oIoU``: overall IoU, all intersections over all unions;
    - ``mIoU``: mean of (intersection + 1e-6) / (union + 1e-6).

    Of the masks of all queries with their scores:

    - ``mAP``: COCO's average precision, IoU .50:.05:.95, each expression an
      image with one object, categories ignored. Where a prediction is null,
      it has no masks here.

    Of the mask of the best query alone, with its score:

    - ``mAP_best_query``: the same precision. Masks of the other queries,
      which may find the object when the best one does not, do not count: not
      the number of the papers.

    The mAP needs the candidates of all queries, ``test_cfg.candidates=-1``,
    which :class:`MetricNeedsHook` sets.

    Args:
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another suffix, the ground truth or the
            candidates are missing, masks do not fit the frame, or a sample
            has more than one annotated frame.

    Example:
        >>> test_evaluator = dict(type='A2DMetric')
    """

    # -1: of all queries.
    needs: ClassVar[Mapping[str, Any]] = {'candidates': -1}

    def score_video(self, sample: dict) -> List[dict]:
        """Score every expression of an annotated frame.

        Args:
            sample: The dict of ``RefDataSample.to_dict()``.

        Returns:
            One dict per expression: ``row`` of the table (pixels, IoU in
            percent), ``gt``, and masks with scores for the mAP: all
            ``candidates``, and ``best`` with the best one only.
        """
        checked_gt(sample)
        if len(sample['frame_ids']) != 1:
            raise InputError.of(
                video_name(sample),
                'frames',
                sample['frame_ids'],
                'only the annotated one (SampleWindow)',
            )
        scored = []
        for prediction in checked_predictions(sample):
            (gt,) = gt_tube(sample, prediction.reference.object_ids)
            intersection, union = iou_counts(prediction.masks[0], gt)
            numbers = {
                'frame': sample['frame_ids'][0],
                'intersection': intersection,
                'union': union,
                'IoU': 100 * intersection / union if union else 100.0,
            }
            scored.append(
                {
                    'row': reference_row(sample, prediction, numbers),
                    'gt': gt,
                    'candidates': collect_candidates(sample, prediction),
                    'best': best_candidate(prediction),
                }
            )
        return scored

    def row_of(self, entry: dict) -> dict:
        """Return the table row of an entry."""
        return entry['row']

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        """Compute precision, overall and mean IoU and mAP, in percent."""
        names = [f'P@{precision}' for precision in PRECISIONS]
        if not scored:
            names += ['oIoU', 'mIoU', 'mAP', 'mAP_best_query']
            return dict.fromkeys(names, float('nan'))
        rows = [entry['row'] for entry in scored]
        intersections, unions = (
            np.array([row[name] for row in rows], np.float64)
            for name in ('intersection', 'union')
        )
        ious = np.array([row['IoU'] for row in rows])
        metrics = {
            # An IoU of exactly K is not above it: 100 * 3 / 5 against
            # 100 * 0.6.
            name: 100 * float((ious > round(100 * precision)).mean())
            for name, precision in zip(names, PRECISIONS)
        }
        total = unions.sum()
        overall = intersections.sum() / total if total else 1.0
        means = (intersections + EPSILON) / (unions + EPSILON)
        return {
            **metrics,
            'oIoU': 100 * float(overall),
            'mIoU': 100 * float(means.mean()),
            'mAP': average_precision(scored, 'candidates'),
            'mAP_best_query': average_precision(scored, 'best'),
        }


def collect_candidates(
    sample: dict, prediction: ReferencePrediction
) -> List[Tuple[Rle, float]]:
    """Return mask and score of every query in the annotated frame.

    A null prediction detects nothing: it has no candidates here.

    Raises:
        InputError: If there are no candidates, or their masks do not fit the
            frame.
    """
    name = f'predictions.{prediction.reference.id}.candidates'
    if not prediction.candidates:
        raise InputError.of(
            video_name(sample),
            name,
            prediction.candidates,
            'those of all queries (model.test_cfg.candidates=-1)',
        )
    expected = [prediction.masks[0]['size']]
    candidates = []
    for index, candidate in enumerate(prediction.candidates):
        sizes = [mask['size'] for mask in candidate.masks]
        if sizes != expected:
            raise InputError.of(
                video_name(sample),
                f'{name}.{index}: sizes of the masks',
                sizes,
                f'{expected}, one mask of the size of the frame',
            )
        candidates.append((candidate.masks[0], float(candidate.score)))
    return [] if prediction.is_null else candidates


def best_candidate(
    prediction: ReferencePrediction,
) -> List[Tuple[Rle, float]]:
    """Return mask and score of the best query; none if it is null."""
    if prediction.is_null:
        return []
    return [(prediction.masks[0], float(prediction.score))]


def average_precision(scored: List[dict], field: str) -> float:
    """Compute COCO's mAP over expressions, in percent, without categories.

    Args:
        scored: One dict per expression with ``gt`` (a mask) and ``field``.
        field: Which detections count: the name of a list of (mask, score).

    Returns:
        0..100; nan where no expression refers to an object.
    """
    detections = [
        {
            'image_id': id,
            'category_id': 1,
            'segmentation': mask,
            'score': score,
        }
        for id, each in enumerate(scored, 1)
        for mask, score in each[field]
    ]
    # An expression that refers to nothing is an image without objects.
    objects = [
        {
            'id': id,
            'image_id': id,
            'category_id': 1,
            'iscrowd': 0,
            'area': float(mask_utils.area(each['gt'])),
            'segmentation': each['gt'],
        }
        for id, each in enumerate(scored, 1)
        if mask_utils.area(each['gt'])
    ]
    if not objects:
        return float('nan')
    if not detections:
        # pycocotools cannot load an empty list.
        return 0.0
    gt = COCO()
    gt.dataset = {
        'images': [
            dict(zip(('id', 'height', 'width'), (id, *each['gt']['size'])))
            for id, each in enumerate(scored, 1)
        ],
        'categories': [{'id': 1}],
        'annotations': objects,
    }
    # pycocotools prints its progress.
    with contextlib.redirect_stdout(io.StringIO()):
        gt.createIndex()
        evaluation = COCOeval(gt, gt.loadRes(detections), 'segm')
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * float(evaluation.stats[0])
