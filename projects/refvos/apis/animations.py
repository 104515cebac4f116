"""Read animated images and TIFFs of several pages as videos."""

from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np

from ..io.images import read_pages

# Frames per second of files that do not tell.
USUAL_RATE = 6.0


class Animation:
    """Frames of a WebP, PNG, GIF or TIFF, at most ``fps`` per second.

    The file is read once for its times, and once for each iteration.

    Args:
        path: The file.
        fps: Frames per second; of a file with more, the first frame in each
            interval of 1 / ``fps`` is kept. None keeps all.

    Raises:
        InputError: The file is missing or broken.
    """

    def __init__(self, path: Path, fps: Optional[float] = None) -> None:
        self.path = path
        seconds = [shown for _, shown in read_pages(str(path))]
        if not any(seconds):
            seconds = [1 / (fps or USUAL_RATE)] * len(seconds)
        length = sum(seconds)
        self.kept = list(range(len(seconds)))
        if fps is not None and fps < len(seconds) / length:
            self.kept = first_of_intervals(seconds, 1 / fps)
        self.fps = len(self.kept) / length

    def __iter__(self) -> Iterator[Tuple[int, np.ndarray]]:
        """Yield the kept frames: index in the file, (H, W, 3) uint8 RGB."""
        kept = set(self.kept)
        for index, (picture, _) in enumerate(read_pages(str(self.path))):
            if index in kept:
                yield index, picture


def first_of_intervals(seconds: List[float], interval: float) -> List[int]:
    """List the frames that begin first in their intervals.

    Args:
        seconds: How long each frame is shown.
        interval: Length of an interval in seconds.
    """
    starts = np.cumsum([0.0, *seconds[:-1]])
    # Rounding must not move a frame to the interval before.
    _, first = np.unique((starts / interval + 1e-6).astype(int), True)
    return first.tolist()
