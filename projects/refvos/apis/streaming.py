"""Predict for a video of any length, a window of frames at a time."""

from collections import deque
from dataclasses import dataclass, field
from typing import Deque, Iterable, Iterator, List, Sequence, Tuple

import numpy as np

from ..structures import Reference, ReferencePrediction, Rle
from .video_reader import Frame


@dataclass
class StreamedFrame:
    """Predictions for all references in one frame.

    Args:
        index: Number of the frame, from 0.
        picture: RGB, uint8, (H, W, 3).
        id: Name of the frame.
        masks: One run-length encoding per reference, at the original size.
        scores: Score of each reference in the window of the frame, 0..1.
        references: The references; a sound is the part for the window.
        moment: Start and end of the frame in its window, 0..1.
        is_null: For each reference, whether it refers to nothing in the
            window.
        start: Seconds from the first frame.
        end: Seconds at which the next one follows.
        pixel_aspect: Width by height of a pixel.
    """

    index: int
    picture: np.ndarray
    id: str
    masks: List[Rle]
    scores: List[float]
    references: List[Reference] = field(default_factory=list)
    moment: Tuple[float, float] = (0.0, 1.0)
    is_null: List[bool] = field(default_factory=list)
    start: float = 0.0
    end: float = 0.0
    pixel_aspect: float = 1.0


def windows(
    frames: Iterable[Frame], size: int, overlap: int
) -> Iterator[Tuple[int, List[Frame]]]:
    """Split frames into windows that overlap with the previous one.

    Args:
        frames: All frames; one window of them is in memory.
        size: Frames per window. The last window starts earlier if necessary
            to have this length.
        overlap: Frames that a window shares with the previous one.

    Yields:
        The number of frames that were in the previous window, and the
        frames of the window.
    """
    window: Deque[Frame] = deque(maxlen=size)
    num_new, wanted = 0, size
    for frame in frames:
        window.append(frame)
        num_new += 1
        if num_new == wanted:
            yield len(window) - num_new, list(window)
            num_new, wanted = 0, size - overlap
    if num_new:
        yield len(window) - num_new, list(window)


class Tracks:
    """Masks of the object of each reference in the last frames.

    A window's predictions continue those of the window before.

    Args:
        num_references: Number of references.
        size: Frames per window.
    """

    def __init__(self, num_references: int, size: int) -> None:
        self.masks: List[Deque[Rle]] = [
            deque(maxlen=size) for _ in range(num_references)
        ]

    def last(self, count: int) -> List[List[Rle]]:
        """Return the masks of the last frames for each reference.

        Args:
            count: Number of frames. A reference that has fewer masks gets
                an empty list.
        """
        return [
            list(masks)[len(masks) - count :] if len(masks) >= count else []
            for masks in self.masks
        ]

    def extend(
        self, predictions: Sequence[ReferencePrediction], start: int
    ) -> None:
        """Append the masks of a window, from its frame ``start`` on.

        An object that appears after a window in which the reference referred
        to nothing does not continue anything, so such a window ends a track.
        """
        for masks, prediction in zip(self.masks, predictions):
            if prediction.is_null:
                masks.clear()
            else:
                masks.extend(prediction.masks[start:])
