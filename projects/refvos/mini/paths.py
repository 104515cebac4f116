"""Draw the path of an object's centre through a scene."""

from typing import Tuple

import numpy as np

# Travel within a clip, in pixels at 96 x 128.
STRAIGHT = (26.0, 44.0)
SWING = (11.0, 17.0)
ORBIT = (9.0, 13.0)
AXES = {
    'left': (0, -1),
    'right': (0, 1),
    'up': (1, -1),
    'down': (1, 1),
    'side to side': (0, 1),
    'up and down': (1, 1),
}


def draw_path(
    rng: np.random.Generator,
    motion: str,
    radius: float,
    img_shape: Tuple[int, int],
    num_frames: int,
    unit: float,
) -> np.ndarray:
    """Draw a path whose points all lie inside the frame, with a margin.

    Args:
        rng: Random generator.
        motion: One of ``attributes.MOTION_CLASSES``.
        radius: The object's nominal radius in pixels.
        img_shape: The frame's (height, width).
        num_frames: Number of points, T.
        unit: Size in pixels of one pixel of a 96 x 128 frame.

    Returns:
        (T, 2) x and y in pixels; pixel i covers [i, i + 1).
    """
    time = np.linspace(0, 1, num_frames)
    offset = np.zeros((num_frames, 2))
    if motion == 'circling':
        turn = rng.uniform(0.85, 1.15) * rng.choice([-1, 1])
        angle = 2 * np.pi * (turn * time + rng.uniform())
        offset = np.stack([np.cos(angle), np.sin(angle)], 1)
        offset *= rng.uniform(*ORBIT) * unit
    elif motion in ('side to side', 'up and down'):
        phase = 2 * np.pi * (rng.uniform(0.9, 1.4) * time + rng.uniform())
        swing = rng.uniform(*SWING) * unit
        offset[:, AXES[motion][0]] = swing * np.sin(phase)
    elif motion != 'still':
        axis, sign = AXES[motion]
        offset[:, axis] = sign * rng.uniform(*STRAIGHT) * unit * time
    margin = 1.1 * radius
    low = margin - offset.min(0)
    high = np.array(img_shape[::-1]) - margin - offset.max(0)
    # A path that is too long for the frame starts at the middle.
    middle = (low + high) / 2
    return offset + rng.uniform(
        np.minimum(low, middle), np.maximum(high, middle)
    )


def draw_leaving_path(
    rng: np.random.Generator,
    motion: str,
    radius: float,
    img_shape: Tuple[int, int],
    num_frames: int,
) -> np.ndarray:
    """Draw a path out of the frame and back, (T, 2), for a swinging motion."""
    axis = AXES[motion][0]
    size = np.array(img_shape[::-1], float)
    margin = 1.1 * radius
    start = rng.uniform(margin, size - margin)
    start[axis] = margin + rng.uniform(0, 0.15) * size[axis]
    reach = start[axis] + 1.7 * radius
    time = np.linspace(0, 1, num_frames)
    path = np.repeat(start[None], num_frames, 0)
    path[:, axis] -= reach * np.sin(np.pi * time) ** 0.8
    if rng.uniform() < 0.5:
        path[:, axis] = size[axis] - path[:, axis]
    return path
