"""J and F of mask tubes, as DAVIS 2017 defines them.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for
Video Object Segmentation", CVPR 2016, section 5; Pont-Tuset et al., "The 2017
DAVIS Challenge on Video Object Segmentation". To leave void pixels out, set
them to false in both tubes.
"""

import functools
import math
from typing import NamedTuple, Tuple

import cv2
import numpy as np

BOUNDARY_TOLERANCE = 0.008  # share of the image diagonal, DAVIS 2016


class TubeStatistics(NamedTuple):
    """What DAVIS says of one measure over the frames of one object."""

    mean: float
    recall: float
    decay: float


def region_similarity(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """J: intersection over union, frame by frame.

    Args:
        pred: Predicted masks, bool, (T, H, W).
        gt: True masks, bool, (T, H, W).

    Returns:
        J of every frame, 0..1, (T,); 1 where both masks are empty.

    Raises:
        ValueError: If the shapes differ or are not (T, H, W).
    """
    pred, gt = _as_tubes(pred, gt)
    return np.array(
        [_iou(p, g) for p, g in zip(pred, gt, strict=True)], dtype=np.float64
    )


def boundary_f(
    pred: np.ndarray, gt: np.ndarray, tolerance: float = BOUNDARY_TOLERANCE
) -> np.ndarray:
    """F: how well the masks' boundaries match, frame by frame.

    Args:
        pred: Predicted masks, bool, (T, H, W).
        gt: True masks, bool, (T, H, W).
        tolerance: How far apart matching boundary pixels may lie, as a share
            of the image diagonal.

    Returns:
        F of every frame, 0..1, (T,); 1 where neither mask has a boundary, 0
        where only one has.

    Raises:
        ValueError: If the shapes differ or are not (T, H, W).
    """
    pred, gt = _as_tubes(pred, gt)
    radius = math.ceil(tolerance * math.hypot(*pred.shape[1:]))
    scores = [_frame_f(p, g, radius) for p, g in zip(pred, gt, strict=True)]
    return np.array(scores, dtype=np.float64)


def tube_statistics(values: np.ndarray) -> TubeStatistics:
    """Mean, recall and decay of one measure over the frames of one object.

    Recall is the share of frames above 0.5. Decay is the mean of the first
    quarter of the frames minus that of the last, where neighbouring quarters
    share their border frame, as in DAVIS's own evaluation.

    Args:
        values: J or F of every frame, (T,), T >= 1.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f'values have shape {values.shape}; expected (T,)')
    # 1e-10: numpy rounds halves to even, DAVIS wants them rounded up.
    borders = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    first = values[: borders[1] + 1]
    last = values[borders[3] :]
    return TubeStatistics(
        mean=float(values.mean()),
        recall=float((values > 0.5).mean()),
        decay=float(first.mean() - last.mean()),
    )


def _as_tubes(
    pred: np.ndarray, gt: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Check that both are tubes of one size; make them bool."""
    pred, gt = np.asarray(pred), np.asarray(gt)
    if pred.ndim != 3 or pred.shape != gt.shape:
        raise ValueError(
            f'masks have shapes {pred.shape} and {gt.shape}; '
            'expected one shape (T, H, W)'
        )
    return pred.astype(bool, copy=False), gt.astype(bool, copy=False)


def _iou(pred: np.ndarray, gt: np.ndarray) -> float:
    """Intersection over union of two masks (H, W)."""
    union = np.count_nonzero(pred | gt)
    return np.count_nonzero(pred & gt) / union if union else 1.0


def _frame_f(pred: np.ndarray, gt: np.ndarray, radius: int) -> float:
    """Boundary F-measure of two masks (H, W)."""
    crop = _boundary_box(pred | gt)
    pred_boundary = _boundary(pred[crop])
    gt_boundary = _boundary(gt[crop])
    num_pred = np.count_nonzero(pred_boundary)
    num_gt = np.count_nonzero(gt_boundary)
    if not num_pred or not num_gt:
        # One boundary alone has precision or recall 0, hence F = 0.
        return float(num_pred == num_gt)
    disk = _disk(radius)
    pred_near_gt = pred_boundary & cv2.dilate(gt_boundary, disk)
    gt_near_pred = gt_boundary & cv2.dilate(pred_boundary, disk)
    precision = np.count_nonzero(pred_near_gt) / num_pred
    recall = np.count_nonzero(gt_near_pred) / num_gt
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def _boundary_box(mask: np.ndarray) -> Tuple[slice, slice]:
    """Where the boundary of ``mask`` (H, W) can lie: its box and one pixel.

    What is cut off is background without boundary pixels, and only boundary
    pixels are ever matched: the numbers stay those of the whole frame.
    """
    slices = []
    for axis in (0, 1):
        used = np.flatnonzero(mask.any(axis=1 - axis))
        first, last = (used[0], used[-1]) if len(used) else (0, 0)
        slices.append(slice(max(first - 1, 0), last + 2))
    return slices[0], slices[1]


def _boundary(mask: np.ndarray) -> np.ndarray:
    """One-pixel boundary of a mask (H, W), uint8.

    A pixel is on it if it differs from its east, south or south-east
    neighbour. Beyond the frame the last row and column go on, so that the
    last row compares with the east only, the last column with the south
    only, and an object cut by the frame has no boundary there.
    """
    near = np.pad(mask, ((0, 1), (0, 1)), mode='edge')
    east, south, south_east = near[:-1, 1:], near[1:, :-1], near[1:, 1:]
    differs = (mask ^ east) | (mask ^ south) | (mask ^ south_east)
    return np.ascontiguousarray(differs).view(np.uint8)


@functools.lru_cache(maxsize=8)
def _disk(radius: int) -> np.ndarray:
    """All pixels within ``radius`` of the middle, uint8, (2r+1, 2r+1)."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (x * x + y * y <= radius * radius).astype(np.uint8)
