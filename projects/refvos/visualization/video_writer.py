"""Write pictures and videos atomically."""

import itertools
import os
from fractions import Fraction
from pathlib import Path
from typing import Iterable, Optional, Sequence, Union, cast

import av
import numpy as np
from PIL import Image

from .overlay import make_strip

# Browsers play H.264; FFmpeg always has MPEG-4.
ENCODERS = ('libx264', 'libopenh264', 'mpeg4')


def write_video(
    path: Union[str, Path], frames: Iterable[np.ndarray], fps: float = 6
) -> None:
    """Write an MP4 that browsers play.

    An odd last row or column is repeated: the encoders require even sizes.

    Args:
        path: Ends in ``.mp4``; its folder is created if needed.
        frames: RGB, uint8, (H, W, 3), all of one size; at least one.
        fps: Frames per second.

    Raises:
        ValueError: If there are no frames or their sizes differ.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f'no frames for {path}; expected at least one')
    partial = _partial(path)
    try:
        with av.open(str(partial), 'w', format='mp4') as container:
            rate = Fraction(fps).limit_denominator(1000)
            stream = cast(
                av.VideoStream, container.add_stream(_encoder(), rate)
            )
            stream.height, stream.width = _even(first).shape[:2]
            stream.pix_fmt = 'yuv420p'
            for frame in itertools.chain([first], frames):
                if frame.shape != first.shape:
                    raise ValueError(
                        f'frame has shape {frame.shape}; '
                        f'expected {first.shape} like the first'
                    )
                picture = av.VideoFrame.from_ndarray(_even(frame), 'rgb24')
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_image(path: Union[str, Path], image: np.ndarray) -> None:
    """Write an RGB picture, uint8, (H, W, 3); the suffix sets the format."""
    partial = _partial(path)
    try:
        Image.fromarray(image).save(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_strip(
    path: Union[str, Path],
    frames: Sequence[np.ndarray],
    columns: Optional[int] = None,
) -> None:
    """Write pictures of one size side by side; see ``make_strip``."""
    write_image(path, make_strip(frames, columns))


def _partial(path: Union[str, Path]) -> Path:
    """Return a temporary name in the same folder with the same suffix."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f'.{path.stem}.{os.getpid()}.partial{path.suffix}')


def _encoder() -> str:
    for name in ENCODERS:
        if name in av.codecs_available:
            return name
    raise RuntimeError(f'this PyAV has none of the encoders {ENCODERS}')


def _even(frame: np.ndarray) -> np.ndarray:
    """Repeat an odd last row or column."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(
            frame, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge'
        )
    return np.ascontiguousarray(frame)
