"""Draw a sound as a band below a frame."""

from typing import Tuple

import cv2
import numpy as np

# Beginning and end of a frame as shares of the whole sound, 0..1.
Moment = Tuple[float, float]

BACKGROUND = (24, 24, 24)
NOW = (72, 72, 72)
QUIET = (128, 128, 128)
LOUD = (255, 192, 0)
EDGE = (255, 255, 255)
# Height of a band divided by its width.
HEIGHT = 0.16
# Brightness of a log-mel picture outside the current frame.
DIMMED = 0.45
# Height of the loudest sample as a share of half the band.
REACH = 0.9


def moment_of(frame: int, num_frames: int) -> Moment:
    """Return the part of a sound that belongs to one of ``num_frames``."""
    return frame / num_frames, (frame + 1) / num_frames


def sound_band(width: int, sound: np.ndarray, moment: Moment) -> np.ndarray:
    """Draw a sound from beginning to end and mark the current frame.

    Args:
        width: Width in pixels.
        sound: (samples,) waveform, drawn from its lowest to its highest
            sample in each column; or (seconds, 1, 96, 64) log-mel examples,
            low frequencies at the bottom.
        moment: Beginning and end of the current frame as shares of the
            sound.

    Returns:
        RGB, uint8, (H, width, 3).

    Raises:
        ValueError: If the sound has another shape or is empty, or the moment
            is not within 0..1.
    """
    start, end = moment
    if not 0 <= start < end <= 1:
        raise ValueError(f'moment is {moment}; expected 0 <= start < end <= 1')
    if sound.ndim not in (1, 4) or not sound.size:
        raise ValueError(
            f'sound has shape {sound.shape}; expected (samples,) or '
            '(seconds, 1, 96, 64)'
        )
    height = max(16, round(HEIGHT * width))
    first = min(int(start * width), width - 1)
    now = slice(first, max(first + 1, round(end * width)))
    if sound.ndim == 1:
        band = draw_waveform(sound, height, width, now)
    else:
        band = draw_log_mel(sound, height, width, now)
    band[:, now.start] = EDGE
    band[:, now.stop - 1] = EDGE
    return band


def draw_waveform(
    sound: np.ndarray, height: int, width: int, now: slice
) -> np.ndarray:
    """Draw each column from its lowest to its highest sample.

    Args:
        sound: (samples,).
        height: Height in pixels.
        width: Width in pixels.
        now: Columns of the current frame.
    """
    band = np.full((height, width, 3), BACKGROUND, np.uint8)
    band[:, now] = NOW
    ends = np.linspace(0, len(sound), width + 1).astype(int)
    starts = np.minimum(ends[:-1], len(sound) - 1)
    low = np.minimum.reduceat(sound, starts)
    high = np.maximum.reduceat(sound, starts)
    loudest = np.abs(sound).max()
    middle = (height - 1) / 2
    scale = REACH * middle / loudest if loudest > 0 else 0.0
    top = np.rint(middle - scale * high)
    bottom = np.rint(middle - scale * low)
    rows = np.arange(height)[:, None]
    drawn = (rows >= top) & (rows <= np.maximum(bottom, top))
    columns = np.zeros(width, bool)
    columns[now] = True
    band[drawn & ~columns] = QUIET
    band[drawn & columns] = LOUD
    return band


def draw_log_mel(
    sound: np.ndarray, height: int, width: int, now: slice
) -> np.ndarray:
    """Draw time to the right, frequency upwards, loudness as brightness.

    Args:
        sound: (seconds, 1, 96, 64), log-mel examples.
        height: Height in pixels.
        width: Width in pixels.
        now: Columns of the current frame.
    """
    picture = sound.reshape(-1, sound.shape[-1]).T[::-1].astype(np.float32)
    lowest, highest = float(picture.min()), float(picture.max())
    light = (picture - lowest) / max(highest - lowest, 1e-6)
    small = cv2.resize(light, (width, height), interpolation=cv2.INTER_AREA)
    levels = np.rint(255 * small).astype(np.uint8)
    band = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    dimmed = np.rint(DIMMED * band).astype(np.uint8)
    dimmed[:, now] = band[:, now]
    return dimmed
