"""Decode the outlines of COCO's annotations: polygons and run lengths.

pycocotools computes with what it is given; numbers that cannot be meant end
the process or fill its memory. Everything is checked before.
"""

from typing import Any, Dict, Sequence, Tuple

import numpy as np
from pycocotools import mask as rle_codec

LONGEST_SIDE = 65535
# In pixels, besides that of the frame's area: pycocotools stores each fifth
# of a pixel of an outline.
LONGEST_OUTLINE = 1_000_000
# Characters of a count, of five bits each.
LONGEST_COUNT = 7


def decode_polygons(polygons: Any, height: int, width: int) -> np.ndarray:
    """Fill polygons.

    Args:
        polygons: A list of polygons, x and y of the corners in turn, in
            pixels.
        height: Height of the frame.
        width: Width of the frame.

    Returns:
        (height, width) bool.

    Raises:
        TypeError, ValueError: They are no polygons of finite length.
    """
    # pycocotools would read four numbers as a box.
    if not polygons or any(len(polygon) < 6 for polygon in polygons):
        raise ValueError('a polygon has three corners at least')
    length = 0.0
    for polygon in polygons:
        corners = np.asarray(polygon, np.float64)
        if corners.ndim != 1 or len(corners) % 2:
            raise ValueError('a polygon has x and y of each corner')
        corners = corners.reshape(-1, 2)
        if not np.isfinite(corners).all():
            raise ValueError('a corner is not finite')
        edges = np.roll(corners, -1, axis=0) - corners
        length += float(np.abs(edges).max(axis=1).sum())
    if length > LONGEST_OUTLINE + height * width:
        raise ValueError(f'an outline of {length:.3g} pixels')
    rles = rle_codec.frPyObjects(polygons, height, width)
    return rle_codec.decode(rle_codec.merge(rles)).astype(bool)


def decode_rle(rle: Dict[str, Any]) -> np.ndarray:
    """Decode an RLE; its counts are numbers, bytes or text.

    Returns:
        (height, width) bool.

    Raises:
        KeyError, TypeError, ValueError: It is no RLE of a mask.
    """
    height, width = size_of_rle(rle)
    compressed = compress_rle(rle)
    if not isinstance(rle['counts'], (list, tuple)):
        check_counts(unpack_counts(compressed['counts']), height, width)
    return rle_codec.decode(compressed).astype(bool)


def compress_rle(rle: Dict[str, Any]) -> Dict[str, Any]:
    """Return an RLE whose counts are bytes.

    The counts of a list are checked; those of text and bytes are not
    unpacked.

    Raises:
        KeyError, TypeError, ValueError: It is no RLE.
    """
    height, width = size_of_rle(rle)
    counts = rle['counts']
    if isinstance(counts, str):
        counts = counts.encode('ascii')
    if isinstance(counts, bytes):
        return {'size': [height, width], 'counts': counts}
    if not isinstance(counts, (list, tuple)):
        raise TypeError('counts are a list or a text')
    try:
        numbers = np.asarray(counts, np.int64)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    check_counts(numbers, height, width)
    plain = {'size': [height, width], 'counts': numbers.tolist()}
    return rle_codec.frPyObjects(plain, height, width)


def size_of_rle(rle: Dict[str, Any]) -> Tuple[int, int]:
    """Return the height and width of an RLE.

    Raises:
        KeyError, ValueError: They are missing, or no sizes of an image.
    """
    size: Sequence[Any] = rle['size']
    if (
        not isinstance(size, (list, tuple))
        or len(size) != 2
        or not all(type(side) is int for side in size)
        or not all(0 < side <= LONGEST_SIDE for side in size)
    ):
        raise ValueError('size is height and width in pixels')
    return size[0], size[1]


def unpack_counts(counts: bytes) -> np.ndarray:
    """Unpack COCO's compressed counts.

    A count is written in groups of five bits, the lowest first, with a sixth
    bit that tells whether another group follows; from the fourth on, counts
    are differences from the one before the last.

    Returns:
        int64; may be negative or of any sum.

    Raises:
        ValueError: A count does not end, or is too long.
    """
    groups = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if len(groups) == 0 or groups.min() < 0 or groups.max() > 63:
        raise ValueError('counts are not those of a compressed RLE')
    last = np.flatnonzero((groups & 32) == 0)
    if len(last) == 0 or last[-1] != len(groups) - 1:
        raise ValueError('counts end within a number')
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() >= LONGEST_COUNT:
        raise ValueError('a count is too large')
    place = np.arange(len(groups)) - np.repeat(first, last - first + 1)
    numbers = np.add.reduceat((groups & 31) << (5 * place), first)
    # The highest bit is the sign.
    negative = (groups[last] & 16) > 0
    numbers -= negative * (np.int64(1) << (5 * (last - first + 1)))
    for start in (1, 2):
        numbers[start::2] = np.cumsum(numbers[start::2])
    return numbers


def check_counts(counts: np.ndarray, height: int, width: int) -> None:
    """Raise ValueError unless counts are the runs of a mask."""
    if (
        counts.ndim != 1
        or (counts < 0).any()
        or (counts > height * width).any()
        or counts.sum() != height * width
    ):
        raise ValueError(f'counts do not add up to {height} x {width}')
