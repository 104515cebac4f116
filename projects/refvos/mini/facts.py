"""Measure areas and centres of the objects of a scene on its masks."""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from .scene import Scene, SceneObject


@dataclass(frozen=True)
class Facts:
    """Areas and centres of N objects in T frames.

    Args:
        objects: The scene's objects, in the order of the arrays' rows.
        areas: (N, T) visible pixels.
        centres: (N, T, 2) centres of the visible pixels, x and y as shares
            of the frame's width and height; NaN for invisible objects.
        aspect: Ratio of the frame's height to its width.
    """

    objects: Tuple[SceneObject, ...]
    areas: np.ndarray
    centres: np.ndarray
    aspect: float

    @property
    def visible(self) -> np.ndarray:
        """Which objects are visible in which frames, (N, T) bool."""
        return self.areas > 0


def measure(scene: Scene, ids: np.ndarray) -> Facts:
    """Measure the objects of a scene on its id maps, (T, H, W)."""
    _, height, width = ids.shape
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    areas, centres = [], []
    for item in scene.objects:
        masks = ids == int(item.id)
        columns, rows = masks.sum(1), masks.sum(2)  # (T, W), (T, H)
        area = rows.sum(1)
        with np.errstate(invalid='ignore'):
            centre = np.stack([columns @ x, rows @ y], 1) / area[:, None]
        areas.append(area)
        centres.append(centre)
    return Facts(
        scene.objects, np.stack(areas), np.stack(centres), height / width
    )
