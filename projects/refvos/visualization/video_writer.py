"""Write pictures and videos atomically."""

import itertools
import os
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import (
    Dict,
    Iterable,
    Iterator,
    Optional,
    Sequence,
    Tuple,
    Union,
    cast,
)

import av
import cv2
import numpy as np
from PIL import Image

from ..disk import writing
from ..io.atomic import hidden_name
from .overlay import make_strip

MILLISECOND = Fraction(1, 1000)
# Pixels; libx264 takes twice as many, others do not.
LARGEST_SIDE = 8192
# Browsers play H.264; FFmpeg always has MPEG-4.
ENCODERS = ('libx264', 'libopenh264', 'mpeg4')


def write_video(
    path: Union[str, Path],
    frames: Iterable[np.ndarray],
    fps: float = 6,
    times: Optional[Sequence[Tuple[float, float]]] = None,
) -> None:
    """Write an MP4 that browsers play.

    An odd last row or column is repeated: the encoders require even sizes.
    Frames that are larger than they take are shrunk.

    Args:
        path: Ends in ``.mp4``; its folder is created if needed.
        frames: RGB, uint8, (H, W, 3), all of one size; at least one.
        fps: Frames per second.
        times: Where they do not follow each other evenly, when each frame
            is shown: (start, end) in seconds. May grow as frames come.

    Raises:
        ValueError: If there are no frames or their sizes differ.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f'no frames for {path}; expected at least one')
    with (
        writing(path, whole=True),
        _partial(path) as partial,
        av.open(str(partial), 'w', format='mp4') as container,
    ):
        rate = Fraction(fps).limit_denominator(1000)
        stream = cast(av.VideoStream, container.add_stream(_encoder(), rate))
        stream.height, stream.width = _encodable(first).shape[:2]
        stream.pix_fmt = 'yuv420p'
        if times is not None:
            stream.codec_context.time_base = MILLISECOND
        last, lengths = -1, {}
        for number, frame in enumerate(itertools.chain([first], frames)):
            if frame.shape != first.shape:
                raise ValueError(
                    f'frame has shape {frame.shape}; '
                    f'expected {first.shape} like the first'
                )
            picture = av.VideoFrame.from_ndarray(_encodable(frame), 'rgb24')
            if times is not None:
                start, end = times[number]
                last = max(last + 1, round(start / MILLISECOND))
                picture.pts, picture.time_base = last, MILLISECOND
                lengths[last] = max(1, round(end / MILLISECOND) - last)
            container.mux(_timed(stream.encode(picture), lengths))
        container.mux(_timed(stream.encode(None), lengths))


def _timed(
    packets: Sequence[av.Packet], lengths: Dict[int, int]
) -> Sequence[av.Packet]:
    """Set how long the frames of packets are shown, by their times."""
    for packet in packets:
        if packet.pts in lengths:
            packet.duration = lengths[packet.pts]
    return packets


def write_image(path: Union[str, Path], image: np.ndarray) -> None:
    """Write an RGB picture, uint8, (H, W, 3); the suffix sets the format."""
    with writing(path, whole=True), _partial(path) as partial:
        Image.fromarray(image).save(partial)


def write_strip(
    path: Union[str, Path],
    frames: Sequence[np.ndarray],
    columns: Optional[int] = None,
) -> None:
    """Write pictures of one size side by side; see ``make_strip``."""
    write_image(path, make_strip(frames, columns))


@contextmanager
def _partial(path: Union[str, Path]) -> Iterator[Path]:
    """Give a temporary name with the same suffix; rename it at the end."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = f'.{os.getpid()}.partial{path.suffix}'
    partial = path.with_name(hidden_name(path.stem, ending))
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _encoder() -> str:
    for name in ENCODERS:
        if name in av.codecs_available:
            return name
    raise RuntimeError(f'this PyAV has none of the encoders {ENCODERS}')


def _encodable(frame: np.ndarray) -> np.ndarray:
    """Shrink what is too large, repeat an odd last row or column."""
    height, width = frame.shape[:2]
    scale = LARGEST_SIDE / max(height, width)
    if scale < 1:
        height, width = (max(1, int(side * scale)) for side in (height, width))
        frame = cv2.resize(
            frame, (width, height), interpolation=cv2.INTER_AREA
        )
    if height % 2 or width % 2:
        frame = np.pad(
            frame, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge'
        )
    return np.ascontiguousarray(frame)
