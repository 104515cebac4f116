"""Answers for a video of any length, a window of frames at a time."""

from collections import deque
from dataclasses import dataclass, field
from typing import Deque, Iterable, Iterator, List, Tuple

import numpy as np

from ..structures import Reference, Rle
from .video_reader import Frame


@dataclass
class StreamedFrame:
    """The answers to all references in one frame.

    Args:
        index: Number of the frame, from 0.
        picture: RGB, uint8, (H, W, 3).
        id: Its name.
        masks: One run-length encoding a reference, at the frame's own size.
        scores: How sure the model is of each in the frame's window, 0..1.
        references: What was asked; a sound is the window's part of it.
        moment: Where the frame begins and ends in its window, 0..1.
        is_null: Of each reference, whether the window shows nothing that it
            refers to.
    """

    index: int
    picture: np.ndarray
    id: str
    masks: List[Rle]
    scores: List[float]
    references: List[Reference] = field(default_factory=list)
    moment: Tuple[float, float] = (0.0, 1.0)
    is_null: List[bool] = field(default_factory=list)


def windows(
    frames: Iterable[Frame], size: int, overlap: int
) -> Iterator[Tuple[int, List[Frame]]]:
    """Cut frames into windows that share some with the one before.

    Args:
        frames: All frames; a window of them is kept.
        size: Frames of a window; the last one goes back as far as it must
            to have so many, too.
        overlap: How many of them the one before has had.

    Returns:
        How many of a window's frames are old, and the window.
    """
    window: Deque[Frame] = deque(maxlen=size)
    fresh, wanted = 0, size
    for frame in frames:
        window.append(frame)
        fresh += 1
        if fresh == wanted:
            yield len(window) - fresh, list(window)
            fresh, wanted = 0, size - overlap
    if fresh:
        yield len(window) - fresh, list(window)
