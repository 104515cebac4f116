"""Read frames of a video file by index without decoding all of them."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import av
import numpy as np
from mmengine.logging import print_log

from ..errors import InputError, describe
from .local_files import check_regular
from .media import best_video, broken, open_media, pixel_aspect, upright

INDEXED_FILES = 4096
# Frames per second of a file that does not say; see ``FPS_OF_IMAGES``.
USUAL_RATE = 6.0


@dataclass(frozen=True)
class VideoIndex:
    """Presentation times of a file's frames.

    Args:
        times: Time of each frame in the stream's unit, ascending; zeros if
            not ``ordered``.
        keys: Times of the key frames, at which decoding can start,
            ascending.
        ordered: The file has distinct times for all frames, by which they
            can be identified after seeking.
        unit: Seconds of a unit of ``times``.
        last: Seconds that the last frame is shown.
        rate: Mean frames per second, measured by the times.
        area: Pixels of a frame.
        announced: Number of frames by the header; 0 if it does not say.
    """

    times: Tuple[int, ...]
    keys: Tuple[int, ...]
    ordered: bool
    unit: float = 0.0
    last: float = 0.0
    rate: float = USUAL_RATE
    area: int = 0
    announced: int = 0

    @property
    def starts(self) -> List[float]:
        """Time of each frame in seconds, from the first frame."""
        if not self.ordered:
            return [number / self.rate for number in range(len(self.times))]
        return [(time - self.times[0]) * self.unit for time in self.times]


def count_video_frames(path: str) -> int:
    """Count the frames of a video file without decoding them."""
    return len(index_video(path).times)


def read_video_frames(path: str, numbers: Sequence[int]) -> List[np.ndarray]:
    """Decode some frames of a video file.

    Decoding starts at the last key frame before a wanted frame, or continues
    from the previous wanted one. The frames equal those of decoding the
    whole file; a file whose times do not allow seeking is decoded from the
    start.

    Args:
        path: A local video file.
        numbers: Indices of the frames, from 0, in any order, also repeated.

    Returns:
        One array per index, (H, W, 3) uint8, RGB; none shares memory.

    Raises:
        InputError: The file is missing or broken, or has fewer frames.
    """
    index = index_video(path)
    for number in numbers:
        if not 0 <= number < len(index.times):
            raise InputError.of(
                path,
                'frame',
                number,
                f'one of its {len(index.times)} frames, counted from 0',
            )
    wanted = sorted(set(numbers))
    if not wanted:
        return []
    try:
        found = decode_by_jumps(path, index, wanted)
        if found is None:
            found = decode_from_start(path, wanted)
    except av.FFmpegError as error:
        raise broken(path, error) from error
    for number in wanted:
        if number not in found:
            raise InputError.of(
                path, f'frame {number}', 'broken', 'one that FFmpeg can decode'
            )
    return [found[number].copy() for number in numbers]


def pixel_aspect_of(path: str) -> float:
    """Return width by height of the pixels of a video's frames.

    Raises:
        InputError: The file is missing or broken, or has no frames.
    """
    index_video(path)
    try:
        with open_media(path) as container:
            stream = best_video(container, path)
            return pixel_aspect(stream, next(container.decode(stream)))
    except (av.FFmpegError, StopIteration):
        return 1.0


def index_video(path: str, warn: bool = True) -> VideoIndex:
    """Read the times of a file's frames without decoding them.

    Raises:
        InputError: The file is missing, no regular file or broken, or has no
            frames.
    """
    status = check_regular(path, 'a video')
    index = _index_file(path, status.st_size, status.st_mtime_ns)
    if warn and len(index.times) < index.announced:
        warn_of_missing_frames(path, len(index.times), index.announced)
    return index


@lru_cache(maxsize=INDEXED_FILES)
def _index_file(path: str, size: int, changed: int) -> VideoIndex:
    """Index a file; its size and time are part of the cache's key."""
    try:
        with open_media(path) as container:
            stream = best_video(container, path)
            packets = [
                (
                    packet.pts,
                    packet.is_keyframe,
                    packet.is_discard,
                    packet.duration,
                )
                for packet in container.demux(stream)
                if packet.size  # The last packet is empty.
            ]
            announced = stream.frames
            rate = float(
                stream.average_rate or stream.guessed_rate or USUAL_RATE
            )
            area = stream.codec_context.width * stream.codec_context.height
            unit = float(stream.time_base or 0)
            length = float((stream.duration or 0) * unit)
            if not length:
                length = (container.duration or 0) / av.time_base
    except av.FFmpegError as error:
        raise broken(path, error) from error
    # Hidden packets only serve to decode others.
    shown = [
        (pts, key, took) for pts, key, hidden, took in packets if not hidden
    ]
    if not shown:
        raise InputError.of(path, 'frames', [], 'at least one frame')
    times = [pts for pts, _, _ in shown]
    if None in times or len(set(times)) < len(times):
        return VideoIndex(
            (0,) * len(times),
            (),
            ordered=False,
            rate=rate,
            area=area,
            announced=announced,
        )
    keys = sorted(pts for pts, is_key, _ in shown if is_key)
    last_time, _, took = max(shown)
    times.sort()
    last = last_seconds(times, took, unit, length)
    seconds = (last_time - times[0]) * unit + last
    return VideoIndex(
        tuple(times),
        tuple(keys),
        ordered=True,
        unit=unit,
        last=last,
        rate=settle_rate(rate, len(times), seconds),
        area=area,
        announced=announced,
    )


def last_seconds(
    times: Sequence[int], took: Optional[int], unit: float, length: float
) -> float:
    """Return how long the last frame is shown, in seconds.

    Args:
        times: Of all frames, ascending.
        took: What the file says of the last frame, in units.
        unit: Seconds of a unit.
        length: What the file says of its whole length, in seconds; or 0.
    """
    said = (took or 0) * unit
    gaps = np.diff(times) * unit
    if not len(gaps):
        return said
    usual, longest = float(np.median(gaps)), float(gaps.max())
    if said > longest and (times[-1] - times[0]) * unit + said > length:
        said = longest
    # Files that claim 1000 frames per second say 1 ms.
    return max(said, usual)


def settle_rate(
    said: float, count: int, seconds: float, tolerance: float = 0.5
) -> float:
    """Return frames per second: as said, if that fits the length.

    Args:
        said: By the header of a file, or by the user.
        count: Number of frames.
        seconds: Their whole length by their times; 0 if unknown.
        tolerance: Frames by which the length may differ.
    """
    if seconds <= 0 or abs(count - seconds * said) <= tolerance:
        return said
    return count / seconds


@dataclass(frozen=True)
class FramePlan:
    """The frames of a file to take, and when they are shown.

    Args:
        numbers: Their places in the file, ascending.
        starts: Seconds from the first frame.
        ends: Seconds at which the next one follows.
        rate: Mean frames per second.
        is_even: They follow each other at that rate, within a frame.
    """

    numbers: Sequence[int]
    starts: Sequence[float]
    ends: Sequence[float]
    rate: float
    is_even: bool


def plan_frames(index: VideoIndex, fps: Optional[float] = None) -> FramePlan:
    """Choose the frames that make a video one of fewer frames per second.

    Args:
        index: The file's index.
        fps: Frames per second; None for all frames.
    """
    starts = index.starts
    last = index.last or 1 / index.rate
    total = starts[-1] + last
    numbers: Sequence[int] = range(len(starts))
    rate = index.rate
    if fps is not None:
        numbers = thin_out(starts, last, fps)
        if len(numbers) < len(starts):
            rate = settle_rate(fps, len(numbers), total, tolerance=1)
    kept = [starts[number] for number in numbers]
    even = [place / rate for place in range(len(kept) + 1)]
    is_even = all(
        abs(start - place) * rate <= 1 for start, place in zip(kept, even)
    )
    if is_even:
        return FramePlan(numbers, even[:-1], even[1:], rate, True)
    return FramePlan(numbers, kept, [*kept[1:], total], rate, False)


def thin_out(starts: Sequence[float], last: float, fps: float) -> List[int]:
    """Choose for each time of a slower video the frame nearest to it.

    Args:
        starts: Time of each frame in seconds, ascending, from 0.
        last: Seconds that the last frame is shown.
        fps: Frames per second of the slower video; where it has more, all
            frames are chosen once.
    """
    ends = [*((a + b) / 2 for a, b in pairwise(starts)), starts[-1] + last / 2]
    kept = []
    slot = -1
    for number, end in enumerate(ends):
        # The margin decides ties of rounded times for the earlier frame.
        reached = math.floor(end * fps + 1e-6)
        if reached > slot:
            kept.append(number)
        slot = reached
    return kept


def decode_by_jumps(
    path: str, index: VideoIndex, wanted: Sequence[int]
) -> Optional[Dict[int, np.ndarray]]:
    """Seek to the key frame before each frame and decode up to the frame.

    Args:
        path: A local video file.
        index: The file's index.
        wanted: Indices of frames, ascending.

    Returns:
        Index -> (H, W, 3) uint8, RGB; None if a frame does not have the time
        that the index gives.
    """
    if not index.ordered:
        return None
    found = {}
    with open_media(path) as container:
        stream = best_video(container, path)
        frames: Iterator[av.VideoFrame] = iter(())
        shown = -math.inf
        for number in wanted:
            time = index.times[number]
            key = max((k for k in index.keys if k <= time), default=None)
            if key is None:
                return None
            if key > shown:
                container.seek(key, stream=stream)
                frames = container.decode(stream)
            frame = next(
                (f for f in frames if f.pts is None or f.pts >= time), None
            )
            if frame is None or frame.pts != time:
                return None
            shown = frame.pts
            found[number] = upright(frame)
    return found


def decode_from_start(
    path: str, wanted: Sequence[int]
) -> Dict[int, np.ndarray]:
    """Decode a file from the start up to the last wanted frame."""
    found = {}
    with open_media(path) as container:
        stream = best_video(container, path)
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                found[number] = upright(frame)
            if number >= wanted[-1]:
                break
    return found


@lru_cache(maxsize=INDEXED_FILES)
def warn_of_missing_frames(path: Any, found: int, announced: int) -> None:
    """Warn once of a truncated file, about which FFmpeg is silent."""
    print_log(
        describe(path, 'number of frames', found, f'{announced}, as it says'),
        logger='current',
        level=30,
    )
