"""Outlines of the kinds of objects and of their fills, as polygons."""

from functools import lru_cache
from typing import Dict, List

import numpy as np

Polygons = List[np.ndarray]  # each (P, 2), x to the right, y down


def regular(count: int, radius: float, first: float = -90) -> np.ndarray:
    """Make a regular polygon around the origin, (P, 2).

    Args:
        count: Number of corners, P.
        radius: Distance of the corners from the origin.
        first: Angle of the first corner in degrees.
    """
    angles = np.deg2rad(first + 360 * np.arange(count) / count)
    return radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def star(points: int, outer: float, inner: float) -> np.ndarray:
    """Make a star with points at radius outer, notches at inner."""
    corners = regular(2 * points, 1.0)
    corners[0::2] *= outer
    corners[1::2] *= inner
    return corners


def cross(reach: float, arm: float) -> np.ndarray:
    """Make a plus sign with arms of length reach and half-width arm."""
    x = [-arm, arm, arm, reach, reach, arm, arm, -arm, -arm, -reach]
    y = [-reach, -reach, -arm, -arm, arm, arm, reach, reach, arm, arm]
    return np.array([*zip(x, y, strict=True), (-reach, -arm), (-arm, -arm)])


# For a nominal radius of one. A hole is a polygon within another.
OUTLINES: Dict[str, Polygons] = {
    'circle': [regular(64, 1.0)],
    'square': [regular(4, 1.27, -45)],
    'triangle': [regular(3, 1.45) + np.array([0, 0.2])],
    'star': [star(5, 1.4, 0.66)],
    'cross': [cross(1.2, 0.45)],
    'ring': [regular(64, 1.15), regular(48, 0.55)],
    'diamond': [np.array([(0, -1.4), (0.95, 0), (0, 1.4), (-0.95, 0)])],
}


def stripes(gap: float = 0.56, width: float = 0.26) -> Polygons:
    """Make slanted bars that extend beyond the unit shape."""
    bar = np.array([(-2, -width), (2, -width), (2, width), (-2, width)]) / [
        1,
        2,
    ]
    turn = np.deg2rad(35)
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    )
    return [(bar + np.array([0, gap * k])) @ rotation.T for k in range(-3, 4)]


def dots(gap: float = 0.62, radius: float = 0.17) -> Polygons:
    """Make a lattice of dots that extends beyond the unit shape."""
    rows, columns = np.mgrid[-3:4, -3:4].reshape(2, -1)
    shifted = columns + 0.5 * (rows % 2)
    centres = gap * np.stack([shifted, 0.87 * rows], 1)
    return [regular(16, radius) + centre for centre in centres]


@lru_cache
def pattern(fill: str, kind: str) -> Polygons:
    """Return the dark parts of a fill, for a nominal radius of one."""
    if fill == 'plain':
        return []
    if fill == 'striped':
        return stripes()
    if kind == 'ring':  # dots of a lattice would lie across its edges
        return [regular(16, 0.17) + place for place in regular(9, 0.85)]
    return dots()


def pose(
    polygons: Polygons, radius: float, angle: float, centre: np.ndarray
) -> Polygons:
    """Scale, rotate and move unit polygons; pixels and radians."""
    rotation = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    return [radius * polygon @ rotation.T + centre for polygon in polygons]
