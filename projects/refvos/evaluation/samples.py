"""Samples with predictions and ground truth as metrics take them: checked.

A sample is the dict that ``RefDataSample.to_dict()`` returns.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..structures import ReferencePrediction, Rle

# The objects that an expression refers to, and one mask per frame.
Objects = Tuple[str, ...]
Tube = List[Rle]


def video_name(sample: dict) -> str:
    """Return the name of a video in error messages."""
    return f'video {sample["video_id"]}'


def frame_size(sample: dict) -> Tuple[int, int]:
    """Return height and width of the video's original frames."""
    height, width = sample['ori_shape'][:2]
    return int(height), int(width)


def checked_predictions(sample: dict) -> List[ReferencePrediction]:
    """Return the predictions of a video, one for each of its references.

    Raises:
        InputError: If a reference has no prediction, or a prediction does
            not have one mask per frame at the size of the original frames.
    """
    predictions = sample.get('predictions')
    references = sample.get('references')
    if predictions is None:
        raise InputError.of(
            video_name(sample),
            'predictions',
            None,
            'the predictions of the model',
        )
    if references is not None and len(references) != len(predictions):
        raise InputError.of(
            video_name(sample),
            'number of predictions',
            len(predictions),
            f'{len(references)}, one for each reference',
        )
    for prediction in predictions:
        name = f'predictions.{prediction.reference.id}'
        _check_tube(sample, name, prediction.masks)
    return predictions


def checked_gt(sample: dict) -> Dict[str, List[Optional[Rle]]]:
    """Return the ground-truth tubes of a video, by object id.

    Raises:
        InputError: If the ground truth is not known.
    """
    tubes = sample.get('gt_tubes')
    if tubes is None:
        raise InputError.of(
            video_name(sample),
            'gt_tubes',
            None,
            'the ground truth (LoadTubes with as_rle=True). Where it is not '
            "public, write the results with dict(type='RefYouTubeVOS"
            "Submission', outfile_prefix=...)",
        )
    return tubes


def gt_tube(sample: dict, object_ids: Sequence[str]) -> Tube:
    """Return the union of the ground truth of some objects.

    Args:
        sample: A sample with ``gt_tubes``.
        object_ids: Objects that are never visible may lack a tube.

    Returns:
        One RLE per frame, empty where no object is visible.

    Raises:
        InputError: If the ground truth is not known, or a tube does not have
            one mask per frame at the size of the original frames.
    """
    tubes = checked_gt(sample)
    empty = mask_utils.encode(np.zeros(frame_size(sample), np.uint8, 'F'))
    visible: List[List[Rle]] = [[] for _ in sample['frame_ids']]
    for object_id in object_ids:
        tube = tubes.get(object_id)
        if tube is None:
            continue
        _check_tube(sample, f'gt_tubes.{object_id}', tube)
        for masks, mask in zip(visible, tube, strict=True):
            if mask is not None:
                masks.append(mask)
    return [mask_utils.merge(masks) if masks else empty for masks in visible]


def iou_counts(pred: Rle, gt: Rle) -> Tuple[int, int]:
    """Count the pixels of the intersection and of the union of two masks.

    The masks are not decoded.
    """
    intersection = int(mask_utils.area(mask_utils.merge([pred, gt], True)))
    areas = int(mask_utils.area(pred)) + int(mask_utils.area(gt))
    return intersection, areas - intersection


def reference_row(
    sample: dict, prediction: ReferencePrediction, numbers: Dict[str, Any]
) -> dict:
    """Return the table row of one reference.

    Args:
        sample: The video.
        prediction: The prediction for the reference.
        numbers: The columns of the metric.

    Returns:
        ``video``, ``reference``, ``text``, ``kind`` (how the expression
        tells the object apart, or else who wrote it; None where the data set
        gives neither), ``objects``, the numbers and ``score``.
    """
    reference = prediction.reference
    return {
        'video': sample['video_id'],
        'reference': reference.id,
        'text': reference.text,
        'kind': reference.cue or reference.annotator,
        'objects': list(reference.object_ids),
        **numbers,
        'score': float(prediction.score),
    }


def _check_tube(
    sample: dict, name: str, tube: Sequence[Optional[Rle]]
) -> None:
    """Require one mask per frame at the size of the original frames."""
    frames, size = sample['frame_ids'], frame_size(sample)
    if len(tube) != len(frames):
        raise InputError.of(
            video_name(sample),
            f'{name}: number of masks',
            len(tube),
            f'{len(frames)}, one per frame',
        )
    for frame, mask in zip(frames, tube, strict=True):
        if mask is None:
            continue
        if tuple(mask['size']) != size:  # type: ignore[arg-type]
            raise InputError.of(
                video_name(sample),
                f'{name}: size of the mask of frame {frame}',
                mask['size'],
                f'{list(size)}, the size of the frame',
            )
