"""Precision, IoU and mAP of A2D-Sentences and JHMDB-Sentences."""

import contextlib
import io
from typing import Dict, List, Tuple

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..errors import InputError
from ..structures import ReferencePrediction, Rle
from .checked_predictions import checked_predictions
from .jf_metric import true_tube
from .table_metric import TableMetric

PRECISIONS = (0.5, 0.6, 0.7, 0.8, 0.9)
# As published, in the mean IoU alone: no division by zero.
EPSILON = 1e-6


@METRICS.register_module()
class A2DMetric(TableMetric):
    """Masks of single frames, in percent.

    Of the best-scored query's mask:

    - ``P@0.5`` ... ``P@0.9``: share of the expressions whose IoU is above;
    - ``oIoU``: overall IoU, all intersections over all unions;
    - ``mIoU``: mean of (intersection + 1e-6) / (union + 1e-6).

    Of all queries' masks with their scores:

    - ``mAP``: COCO's average precision, IoU .50:.05:.95, each expression an
      image with one object, categories ignored.

    The model must keep its candidates: ``test_cfg.keep_candidates=True``.

    Args:
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If the table has another ending, the truth or the
            candidates are not there, masks don't fit, or a sample has more
            than one annotated frame.

    Example:
        >>> test_evaluator = dict(type='A2DMetric')
    """

    def score_video(self, sample: dict) -> List[dict]:
        return score_frame(sample)

    def row_of(self, entry: dict) -> dict:
        return entry['row']

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        rows = [self.row_of(entry) for entry in scored]
        return {**summarize(rows), 'mAP': average_precision(scored)}


def score_frame(sample: dict) -> List[dict]:
    """Compare every expression of a frame with the truth.

    Args:
        sample: What ``RefDataSample.to_dict()`` gives.

    Returns:
        One dict an expression: ``row`` of the table (pixels, IoU in
        percent), ``truth`` and ``candidates`` (mask, score) for the mAP.
    """
    video = f'video {sample["video_id"]}'
    if sample.get('gt_tubes') is None:
        raise InputError.of(video, 'gt_tubes', None, 'the true masks')
    if len(sample['frame_ids']) != 1:
        raise InputError.of(
            video,
            'frames',
            sample['frame_ids'],
            'the annotated one alone (SampleWindow)',
        )
    scored = []
    for prediction in checked_predictions(sample):
        reference = prediction.reference
        (truth,) = true_tube(sample, reference.object_ids)
        intersection, union = overlap(prediction.masks[0], truth)
        row = {
            'video': sample['video_id'],
            'frame': sample['frame_ids'][0],
            'reference': reference.id,
            'text': reference.text,
            'kind': reference.cue,
            'objects': list(reference.object_ids),
            'intersection': intersection,
            'union': union,
            'IoU': 100 * intersection / union if union else 100.0,
            'score': float(prediction.score),
        }
        scored.append(
            {
                'row': row,
                'truth': truth,
                'candidates': candidates_of(video, prediction, truth),
            }
        )
    return scored


def overlap(mask: Rle, truth: Rle) -> Tuple[int, int]:
    """Pixels of the intersection and of the union of two masks."""
    both, either = (
        int(mask_utils.area(mask_utils.merge([mask, truth], intersect)))
        for intersect in (True, False)
    )
    return both, either


def candidates_of(
    video: str, prediction: ReferencePrediction, truth: Rle
) -> List[Tuple[Rle, float]]:
    """Mask and score of every query in the one frame."""
    name = f'predictions.{prediction.reference.id}.candidates'
    if not prediction.candidates:
        raise InputError.of(
            video,
            name,
            prediction.candidates,
            'those of all queries (model.test_cfg.keep_candidates=True)',
        )
    found = []
    for index, candidate in enumerate(prediction.candidates):
        sizes = [mask['size'] for mask in candidate.masks]
        if sizes != [truth['size']]:
            raise InputError.of(
                video,
                f'{name}.{index}: sizes of the masks',
                sizes,
                f'{[truth["size"]]}, one of the size of the frame',
            )
        found.append((candidate.masks[0], float(candidate.score)))
    return found


def summarize(rows: List[dict]) -> Dict[str, float]:
    """Precision, overall and mean IoU over expressions, in percent."""
    names = [f'P@{precision}' for precision in PRECISIONS]
    if not rows:
        return dict.fromkeys([*names, 'oIoU', 'mIoU'], float('nan'))
    intersections, unions = (
        np.array([row[name] for row in rows], np.float64)
        for name in ('intersection', 'union')
    )
    ious = np.array([row['IoU'] for row in rows])
    metrics = {
        # An IoU of just K is not above it: 100 * 3 / 5 against 100 * 0.6.
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
    }


def average_precision(scored: List[dict]) -> float:
    """COCO's mAP over expressions, in percent; categories are ignored."""
    if not scored:
        return float('nan')
    truth = COCO()
    truth.dataset = {
        'images': [
            dict(zip(('id', 'height', 'width'), (id, *each['truth']['size'])))
            for id, each in enumerate(scored, 1)
        ],
        'categories': [{'id': 1}],
        'annotations': [
            {
                'id': id,
                'image_id': id,
                'category_id': 1,
                'iscrowd': 0,
                'area': float(mask_utils.area(each['truth'])),
                'segmentation': each['truth'],
            }
            for id, each in enumerate(scored, 1)
        ],
    }
    found = [
        {
            'image_id': id,
            'category_id': 1,
            'segmentation': mask,
            'score': score,
        }
        for id, each in enumerate(scored, 1)
        for mask, score in each['candidates']
    ]
    # pycocotools prints what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), 'segm')
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * float(evaluation.stats[0])
