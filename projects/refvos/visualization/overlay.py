"""Draw masks over frames."""

import math
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .fonts import draw_line, legible, wrap
from .sound import Moment, sound_band

Color = Tuple[int, int, int]

# Hues that are easy to tell apart on photographs, in order of use.
PALETTE: Tuple[Color, ...] = (
    (255, 64, 64),
    (48, 144, 255),
    (64, 208, 64),
    (255, 192, 0),
    (208, 64, 255),
    (0, 208, 208),
    (255, 128, 192),
    (160, 112, 48),
)
WHITE: Color = (255, 255, 255)
LABEL_BACKGROUND: Color = (24, 24, 24)
# Pixels. Frames are not enlarged beyond it.
LONGEST_SIDE = 4096
# Pixels; below it no label can be read.
NARROWEST_LABELS = 48
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def distinct_colors(n: int) -> List[Color]:
    """Return ``n`` RGB colours that are easy to tell apart.

    The first colours are the same for every ``n``: an object keeps its
    colour when more objects are added.
    """
    colors = list(PALETTE[:n])
    for i in range(len(colors), n):
        # Multiples of the golden ratio never repeat a hue.
        hue = int(i * GOLDEN_RATIO % 1 * 180)
        value = 255 if i % 2 else 170
        pixel = np.array([[[hue, 200, value]]], np.uint8)
        red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0]
        colors.append((int(red), int(green), int(blue)))
    return colors


def draw_overlay(
    frame: np.ndarray,
    masks: Sequence[np.ndarray],
    colors: Optional[Sequence[Color]] = None,
    labels: Optional[Sequence[str]] = None,
    gt_masks: Optional[Sequence[np.ndarray]] = None,
    alpha: float = 0.45,
    min_side: int = 0,
    dim: float = 0,
    sound: Optional[np.ndarray] = None,
    moment: Moment = (0, 1),
    pixel_aspect: float = 1.0,
) -> np.ndarray:
    """Draw translucent masks with contours and labels over a frame.

    Labels are in a dark band below the frame, so they do not cover it.
    The band has the same height for all frames with the same labels.

    Args:
        frame: RGB, uint8, (H, W, 3).
        masks: Bool, (H, W) each.
        colors: One per mask; ``distinct_colors`` by default.
        labels: One per mask; no band if None.
        gt_masks: Ground truth, bool, (H, W) each; drawn as white outlines.
        alpha: Opacity of the colour inside a mask, 0..1.
        min_side: Enlarge the frame until its shorter side has this many
            pixels, or its longer one 4096.
        dim: Darken the pixels outside all masks by this share, 0..1, so that
            masks stand out from objects of the same colour.
        sound: Sound drawn below the frame, see :func:`sound_band`.
        moment: The part of the sound that belongs to this frame.
        pixel_aspect: Width by height of the frame's pixels; those of the
            result are square.

    Returns:
        RGB, uint8, (H' + bands, W', 3).

    Raises:
        ValueError: If a mask has another size than the frame, or the number
            of colours or labels is not that of the masks.
    """
    colors = distinct_colors(len(masks)) if colors is None else colors
    _check(frame, masks, colors, labels, gt_masks)
    size = _drawn_size(frame.shape[:2], min_side, pixel_aspect)
    frame = _resize(frame, size, cv2.INTER_CUBIC)
    picture = frame.astype(np.float32)
    enlarged = [_resize_mask(mask, size) for mask in masks]
    if dim:
        covered = np.any(enlarged, axis=0) if enlarged else False
        picture[~np.broadcast_to(covered, frame.shape[:2])] *= 1 - dim
    for mask, color in zip(enlarged, colors, strict=True):
        picture[mask] += alpha * (np.asarray(color) - picture[mask])
    picture = np.ascontiguousarray(picture.round().astype(np.uint8))
    thickness = max(1, round(min(frame.shape[:2]) / 120))
    for mask, color in zip(enlarged, colors, strict=True):
        _draw_contour(picture, mask, color, thickness)
    for mask in gt_masks or ():
        # Thin, so that a contour below it stays visible.
        _draw_contour(picture, _resize_mask(mask, size), WHITE, 1)
    if labels:
        picture = widen(picture, NARROWEST_LABELS)
    if sound is not None:
        band = sound_band(picture.shape[1], sound, moment)
        picture = np.concatenate([picture, band])
    if labels:
        band = label_band(picture.shape[1], labels, colors)
        picture = np.concatenate([picture, band])
    return picture


def label_band(
    width: int, labels: Sequence[str], colors: Sequence[Color]
) -> np.ndarray:
    """Draw a dark band with a coloured square and text for every label.

    Returns:
        RGB, uint8, (height of the text, width, 3).
    """
    size = int(np.clip(width / 24, 12, 32))
    line_height, margin = round(size * 1.35), max(2, size // 4)
    left = 2 * margin + size
    wrapped = [
        wrap(legible(label), width - left - margin, size) for label in labels
    ]
    num_lines = sum(len(lines) for lines in wrapped)
    band = Image.new(
        'RGB',
        (width, num_lines * line_height + 2 * margin),
        LABEL_BACKGROUND,
    )
    draw = ImageDraw.Draw(band)
    top = margin
    for lines, color in zip(wrapped, colors, strict=True):
        square = (margin, top + margin, margin + size - 2, top + size)
        draw.rectangle(square, fill=tuple(color))
        for line in lines:
            draw_line(draw, (left, top), line, size, WHITE)
            top += line_height
    return np.asarray(band)


def widen(picture: np.ndarray, width: int) -> np.ndarray:
    """Fill a picture (H, W, 3) up to a width, on the right."""
    lacking = width - picture.shape[1]
    if lacking <= 0:
        return picture
    side = np.full((picture.shape[0], lacking, 3), LABEL_BACKGROUND, np.uint8)
    return np.concatenate([picture, side], axis=1)


def make_strip(
    frames: Sequence[np.ndarray], columns: Optional[int] = None, gap: int = 4
) -> np.ndarray:
    """Arrange pictures in rows of ``columns`` on white.

    Args:
        frames: RGB, uint8, (H, W, 3), all of one size.
        columns: Pictures per row; all of them by default.
        gap: White pixels between pictures.

    Returns:
        RGB, uint8.

    Raises:
        ValueError: If there are no pictures or they differ in size.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(f'frames have shapes {shapes}; expected one shape')
    columns = min(columns or len(frames), len(frames))
    rows = math.ceil(len(frames) / columns)
    height, width = frames[0].shape[:2]
    sheet = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, 3),
        255,
        np.uint8,
    )
    for i, frame in enumerate(frames):
        top = i // columns * (height + gap)
        left = i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = frame
    return sheet


def evenly_spaced(total: int, count: int) -> List[int]:
    """Return up to ``count`` indices of 0 to ``total`` - 1, ends included."""
    if count >= total:
        return list(range(total))
    return np.linspace(0, total - 1, count).round().astype(int).tolist()


def _check(
    frame: np.ndarray,
    masks: Sequence[np.ndarray],
    colors: Sequence[Color],
    labels: Optional[Sequence[str]],
    gt_masks: Optional[Sequence[np.ndarray]],
) -> None:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(
            f'frame is {frame.dtype} {frame.shape}; expected uint8 (H, W, 3)'
        )
    for mask in [*masks, *(gt_masks or ())]:
        if mask.shape != frame.shape[:2]:
            raise ValueError(
                f'mask has shape {mask.shape}; expected {frame.shape[:2]}'
            )
    if len(colors) != len(masks):
        raise ValueError(f'{len(colors)} colors for {len(masks)} masks')
    if labels and len(labels) != len(masks):
        raise ValueError(f'{len(labels)} labels for {len(masks)} masks')


def _drawn_size(
    shape: Sequence[int], min_side: int, pixel_aspect: float
) -> Tuple[int, int]:
    """Return (height, width) of a frame as it is drawn, never smaller."""
    height = shape[0] * max(1.0, 1 / pixel_aspect)
    width = shape[1] * max(1.0, pixel_aspect)
    scale = min(
        min_side / min(height, width), LONGEST_SIDE / max(height, width)
    )
    scale = max(1.0, scale)
    return round(height * scale), round(width * scale)


def _resize(
    image: np.ndarray, size: Tuple[int, int], interpolation: int
) -> np.ndarray:
    if image.shape[:2] == size:
        return image
    return cv2.resize(image, size[::-1], interpolation=interpolation)


def _resize_mask(mask: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    # Nearest-neighbour shows the pixels that the model predicted.
    return _resize(
        mask.astype(np.uint8), size, cv2.INTER_NEAREST_EXACT
    ).astype(bool)


def _draw_contour(
    picture: np.ndarray, mask: np.ndarray, color: Color, thickness: int
) -> None:
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(picture, contours, -1, color, thickness, cv2.LINE_AA)
