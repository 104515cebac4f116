"""J and F of mask tubes, as DAVIS 2017 defines them.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for
Video Object Segmentation", CVPR 2016, section 5; Pont-Tuset et al., "The 2017
DAVIS Challenge on Video Object Segmentation". To ignore void pixels, set them
to false in both tubes.
"""

import math
from typing import NamedTuple, Optional, Tuple

import cv2
import numpy as np

BOUNDARY_TOLERANCE = 0.008  # share of the image diagonal, DAVIS 2016


class TubeStatistics(NamedTuple):
    """DAVIS's statistics of one measure over the frames of one object."""

    mean: float
    recall: float
    decay: float


def region_similarity(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Compute J, the intersection over union, per frame.

    Args:
        pred: Predicted masks, bool, (T, H, W).
        gt: Ground-truth masks, bool, (T, H, W).

    Returns:
        J per frame, 0..1, (T,); 1 where both masks are empty.

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
    """Compute F, the F-measure of the boundaries, per frame.

    Args:
        pred: Predicted masks, bool, (T, H, W).
        gt: Ground-truth masks, bool, (T, H, W).
        tolerance: Largest distance between matching boundary pixels, as a
            share of the image diagonal.

    Returns:
        F per frame, 0..1, (T,); 1 where neither mask has a boundary, 0 where
        only one has.

    Raises:
        ValueError: If the shapes differ or are not (T, H, W).
    """
    pred, gt = _as_tubes(pred, gt)
    radius = tolerance_radius(pred.shape[1:], tolerance)
    scores = [
        outline_f(Outline(p, radius), Outline(g, radius))
        for p, g in zip(pred, gt, strict=True)
    ]
    return np.array(scores, dtype=np.float64)


def tolerance_radius(
    size: Tuple[int, ...], tolerance: float = BOUNDARY_TOLERANCE
) -> int:
    """Compute the tolerance in pixels for masks of size (H, W)."""
    return math.ceil(tolerance * math.hypot(*size))


class Outline:
    """The boundary of a mask, and the pixels near it.

    It can be reused: a ground-truth mask is compared with several
    predictions.

    Args:
        mask: (H, W), bool.
        radius: Largest distance that is near, in pixels.
        box: Rows and columns outside of which the mask is empty; computed if
            None.
    """

    def __init__(
        self,
        mask: np.ndarray,
        radius: int,
        box: Optional[Tuple[slice, slice]] = None,
    ) -> None:
        self.radius = radius
        if box is None:
            box = _box(mask)
        # A pixel is compared with its eastern and southern neighbours.
        crop = _grow(box, 1, mask.shape)
        # Columns first, the memory layout of decoded run-length codes.
        edge = _boundary(np.ascontiguousarray(mask[crop].T))
        columns, rows = np.divmod(
            np.flatnonzero(edge.ravel()), max(edge.shape[1], 1)
        )
        self.rows = rows + crop[0].start
        self.columns = columns + crop[1].start
        # Columns one after the other, more than a radius apart.
        self._stride = mask.shape[0] + 2 * radius + 1
        self._places = self.columns * self._stride + self.rows
        # Pixels outside of this window are not near.
        self._window = _grow(box, radius + 1, mask.shape)
        self._near: Optional[np.ndarray] = None

    def __len__(self) -> int:
        return len(self.rows)

    def count_near(self, other: 'Outline') -> int:
        """Count the pixels of this boundary that are near another one."""
        rows, columns = other._window
        inside = (
            (self.rows >= rows.start)
            & (self.rows < rows.stop)
            & (self.columns >= columns.start)
            & (self.columns < columns.stop)
        )
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        # With many boundary pixels (a ragged mask) the window is cheaper.
        if np.count_nonzero(inside) * (2 * self.radius + 1) > area:
            found = other.near()[
                self.rows[inside] - rows.start,
                self.columns[inside] - columns.start,
            ]
            return int(np.count_nonzero(found))
        return other.count_hits(self._places[inside])

    def count_hits(self, places: np.ndarray) -> int:
        """Count the pixels that are within ``radius`` of this boundary.

        Column by column of the disk, nearest first: its pixels in a column
        are a run, which contains a boundary pixel if the first one from the
        start of the run on is not beyond its end. Most pixels have one in
        their own column and are not tested again.

        Args:
            places: Flat positions, column * stride + row, (N,).
        """
        total = len(places)
        for offset in sorted(range(-self.radius, self.radius + 1), key=abs):
            half = math.isqrt(self.radius**2 - offset**2)
            start = places + (offset * self._stride - half)
            index = np.searchsorted(self._places, start)
            following = self._places[np.minimum(index, len(self) - 1)]
            # If there is no following one, the last is before the start.
            hit = (following >= start) & (following <= start + 2 * half)
            places = places[~hit]
            if not len(places):
                break
        return total - len(places)

    def near(self) -> np.ndarray:
        """Compute which pixels of the window are near, bool, (h, w)."""
        if self._near is None:
            rows, columns = self._window
            far = np.ones(
                (rows.stop - rows.start, columns.stop - columns.start),
                np.uint8,
            )
            far[self.rows - rows.start, self.columns - columns.start] = 0
            distance = cv2.distanceTransform(
                far, cv2.DIST_L2, cv2.DIST_MASK_PRECISE
            )
            # Squared distances are integers: the next one above the radius
            # differs from it by more than the rounding of float32.
            self._near = distance <= self.radius + 1 / (4 * self.radius + 4)
        return self._near


def outline_f(pred: Outline, gt: Outline) -> float:
    """Compute F of two masks, 0..1; see :func:`boundary_f`."""
    if not len(pred) or not len(gt):
        # With only one boundary, precision or recall is 0, hence F = 0.
        return float(len(pred) == len(gt))
    precision = pred.count_near(gt) / len(pred)
    recall = gt.count_near(pred) / len(gt)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def tube_statistics(values: np.ndarray) -> TubeStatistics:
    """Compute mean, recall and decay of one measure for one object.

    Recall is the share of frames above 0.5. Decay is the mean of the first
    quarter of the frames minus that of the last; neighbouring quarters share
    their border frame, as in DAVIS's own evaluation.

    Args:
        values: J or F per frame, (T,), T >= 1.

    Raises:
        ValueError: If the shape differs.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f'values have shape {values.shape}; expected (T,)')
    # 1e-10: numpy rounds halves to even, DAVIS rounds them up.
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
    """Check that both are tubes of one size and convert them to bool."""
    pred, gt = np.asarray(pred), np.asarray(gt)
    if pred.ndim != 3 or pred.shape != gt.shape:
        raise ValueError(
            f'masks have shapes {pred.shape} and {gt.shape}; '
            'expected one shape (T, H, W)'
        )
    return pred.astype(bool, copy=False), gt.astype(bool, copy=False)


def _iou(pred: np.ndarray, gt: np.ndarray) -> float:
    """Compute the intersection over union of two masks (H, W)."""
    union = np.count_nonzero(pred | gt)
    return np.count_nonzero(pred & gt) / union if union else 1.0


def _box(mask: np.ndarray) -> Tuple[slice, slice]:
    """Return the rows and columns of the box around a mask (H, W)."""
    slices = []
    for axis in (0, 1):
        used = np.flatnonzero(mask.any(axis=1 - axis))
        first, last = (used[0], used[-1]) if len(used) else (0, 0)
        slices.append(slice(int(first), int(last) + 1))
    return slices[0], slices[1]


def _grow(
    box: Tuple[slice, slice], margin: int, size: Tuple[int, ...]
) -> Tuple[slice, slice]:
    """Enlarge a box on all sides, within the frame (H, W)."""
    rows, columns = (
        slice(max(side.start - margin, 0), min(side.stop + margin, length))
        for side, length in zip(box, size, strict=True)
    )
    return rows, columns


def _boundary(mask: np.ndarray) -> np.ndarray:
    """Compute the one-pixel boundary of a mask, bool (H, W) or (W, H).

    A pixel is on it if it differs from its east, south or south-east
    neighbour. The last row and column are repeated beyond the frame: the
    last row compares only with the east, the last column only with the
    south, and an object cut by the frame has no boundary there.
    """
    differs = np.zeros(mask.shape, bool)
    differs[:, :-1] = mask[:, :-1] ^ mask[:, 1:]
    differs[:-1] |= mask[:-1] ^ mask[1:]
    differs[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return differs
