"""Read frames of a video file by index without decoding all of them."""

import math
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import av
import numpy as np
from mmengine.logging import print_log

from ..errors import InputError, describe

# FFmpeg renders any text file as the screen of a terminal.
NO_VIDEO_FORMATS = {'tty'}
INDEXED_FILES = 4096


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
    """

    times: Tuple[int, ...]
    keys: Tuple[int, ...]
    ordered: bool


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


def index_video(path: str) -> VideoIndex:
    """Read the times of a file's frames without decoding them.

    Raises:
        InputError: The file is missing or broken, or has no frames.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, 'file', 'missing', 'a video') from None
    return _index_file(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=INDEXED_FILES)
def _index_file(path: str, size: int, changed: int) -> VideoIndex:
    """Index a file; its size and time are part of the cache's key."""
    try:
        with av.open(f'file:{path}') as container:
            stream = video_stream(container, path)
            packets = [
                (packet.pts, packet.is_keyframe, packet.is_discard)
                for packet in container.demux(stream)
                if packet.size  # The last packet is empty.
            ]
            announced = stream.frames
    except av.FFmpegError as error:
        raise broken(path, error) from error
    if len(packets) < announced:
        warn_of_missing_frames(path, len(packets), announced)
    # Hidden packets only serve to decode others.
    shown = [(pts, is_key) for pts, is_key, hidden in packets if not hidden]
    if not shown:
        raise InputError.of(path, 'frames', [], 'at least one frame')
    times = [pts for pts, _ in shown]
    if None in times or len(set(times)) < len(times):
        return VideoIndex((0,) * len(times), (), ordered=False)
    keys = sorted(pts for pts, is_key in shown if is_key)
    return VideoIndex(tuple(sorted(times)), tuple(keys), ordered=True)


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
    with av.open(f'file:{path}') as container:
        stream = video_stream(container, path)
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
    with av.open(f'file:{path}') as container:
        stream = video_stream(container, path)
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                found[number] = upright(frame)
            if number >= wanted[-1]:
                break
    return found


def warn_of_missing_frames(path: Any, found: int, announced: int) -> None:
    """Warn of a truncated file, about which FFmpeg is silent."""
    print_log(
        describe(path, 'number of frames', found, f'{announced}, as it says'),
        logger='current',
        level=30,
    )


def video_stream(container: Any, path: Any) -> Any:
    """Return the first video stream of an open file.

    Raises:
        InputError: It has none.
    """
    streams = container.streams.video
    if container.format.name in NO_VIDEO_FORMATS or not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise InputError.of(
            path, f'streams ({container.format.name})', kinds, 'a video'
        )
    return streams[0]


def upright(frame: av.VideoFrame) -> np.ndarray:
    """Convert to (H, W, 3) uint8 RGB, rotated as the file asks for."""
    picture = frame.to_ndarray(format='rgb24')
    quarters = round(frame.rotation / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(picture, quarters))


def broken(path: Any, error: av.FFmpegError, place: str = '') -> InputError:
    """Make the error for a file that FFmpeg cannot decode."""
    return InputError.of(
        path,
        f'content{place}',
        error.strerror,
        'a video that FFmpeg can decode',
    )
