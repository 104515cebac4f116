"""Render scenes: anti-aliased frames and exact masks."""

from dataclasses import dataclass
from typing import Optional, Tuple

import cv2
import numpy as np

from .attributes import COLOURS
from .scene import Scene, SceneObject
from .shapes import OUTLINES, Polygons, pattern, pose

OVERSAMPLING = 4
FRACTION_BITS = 4
# Brightness of pattern and rim, relative to the object's colour.
PATTERN_SHADE = 0.42
RIM_SHADE = 0.6

Box = Tuple[int, int, int, int]


@dataclass(frozen=True)
class Rendering:
    """A rendered scene.

    Args:
        frames: (T, H, W, 3) uint8, RGB.
        ids: (T, H, W) uint8, id of the visible object, 0 for background.
    """

    frames: np.ndarray
    ids: np.ndarray


def render(scene: Scene) -> Rendering:
    """Render all frames of a scene."""
    rng = np.random.default_rng(scene.texture_seed)
    background = draw_background(rng, scene.img_shape)
    nearest_last = sorted(scene.objects, key=lambda item: item.depth)
    frames, ids = [], []
    for time in range(scene.num_frames):
        frame = background.copy()
        id_map = np.zeros(scene.img_shape, np.uint8)
        for item in nearest_last:
            paint(frame, id_map, item, time)
        noise = rng.normal(0, 2, frame.shape)
        frames.append(np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8))
        ids.append(id_map)
    return Rendering(np.stack(frames), np.stack(ids))


def draw_background(
    rng: np.random.Generator, img_shape: Tuple[int, int]
) -> np.ndarray:
    """Draw a texture of low saturation, (H, W, 3) float32."""
    height, width = img_shape
    rows, columns = np.mgrid[:height, :width] / max(img_shape)
    light: np.ndarray = np.zeros(img_shape)
    for cell, strength in ((3, 5), (12, 9), (40, 12)):
        grid = rng.normal(size=(height // cell + 2, width // cell + 2))
        light = light + strength * cv2.resize(
            grid, (width, height), interpolation=cv2.INTER_CUBIC
        )
    style = rng.choice(['noise', 'gradient', 'bands'])
    turn = rng.uniform(0, np.pi)
    along = np.cos(turn) * columns + np.sin(turn) * rows
    if style == 'gradient':
        light += 50 * (along - along.mean())
    elif style == 'bands':
        light += 14 * np.sin(2 * np.pi * rng.uniform(3, 9) * along)
    tint = rng.uniform(65, 135) + rng.uniform(-12, 12, 3)
    return np.clip(light[..., None] + tint, 15, 190).astype(np.float32)


def paint(
    frame: np.ndarray, id_map: np.ndarray, item: SceneObject, time: int
) -> None:
    """Draw one object over frame and id map, in place."""
    centre = np.array(item.path[time])
    angle = item.angles[time]
    outline = pose(OUTLINES[item.kind], item.radius, angle, centre)
    box = bounding_box(outline, id_map.shape)
    if box is None:
        return
    left, top, right, bottom = box
    window = frame[top:bottom, left:right]
    body = coverage(outline, box)
    colour = np.array(COLOURS[item.colour], np.float32)
    unit_pattern = pattern(item.fill, item.kind)
    dark = pose(unit_pattern, item.radius, angle, centre)
    blend(window, body, colour)
    if dark:
        blend(window, coverage(dark, box) * body, PATTERN_SHADE * colour)
    blend(window, coverage(outline, box, rim=True) * body, RIM_SHADE * colour)
    id_map[top:bottom, left:right][body > 0.5] = int(item.id)


def blend(window: np.ndarray, alpha: np.ndarray, colour: np.ndarray) -> None:
    """Blend a colour into pixels (H, W, 3), in place; alpha is (H, W)."""
    window += alpha[..., None] * (colour - window)


def bounding_box(
    polygons: Polygons, img_shape: Tuple[int, int]
) -> Optional[Box]:
    """Return left, top, right, bottom in pixels; None if outside."""
    points = np.concatenate(polygons)
    size = np.array(img_shape[::-1])
    low = np.clip(np.floor(points.min(0)).astype(int), 0, size)
    high = np.clip(np.ceil(points.max(0)).astype(int), 0, size)
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def coverage(polygons: Polygons, box: Box, rim: bool = False) -> np.ndarray:
    """Compute the share of each pixel in a box that polygons cover.

    Overlapping polygons cut holes into each other.

    Args:
        polygons: Corners in pixels of the frame.
        box: Left, top, right, bottom in pixels.
        rim: Cover a line along the outline instead of the inside.

    Returns:
        (bottom - top, right - left) float32 in [0, 1].
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    fine = np.zeros((height * OVERSAMPLING, width * OVERSAMPLING), np.uint8)
    # Pixel i covers [i, i + 1); OpenCV's coordinates name pixel centres.
    corners = [
        np.rint(
            ((polygon - [left, top]) * OVERSAMPLING - 0.5) * 2**FRACTION_BITS
        ).astype(np.int32)
        for polygon in polygons
    ]
    if rim:
        cv2.polylines(
            fine, corners, True, 255, 2 * OVERSAMPLING, shift=FRACTION_BITS
        )
    else:
        cv2.fillPoly(fine, corners, 255, shift=FRACTION_BITS)
    small = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255
