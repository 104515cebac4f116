"""Frames of a video file by their number, without decoding all of them."""

import math
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import av
import numpy as np
from mmengine.logging import print_log

from ..errors import InputError, describe

# FFmpeg draws any text file as the screen of a terminal.
NO_VIDEO_FORMATS = {'tty'}
INDEXED_FILES = 4096


@dataclass(frozen=True)
class VideoIndex:
    """Where the frames of a file are.

    Args:
        times: When each frame is shown, in the stream's units, ascending;
            as many as there are frames in any case.
        keys: When those are shown from which decoding can begin, ascending.
        ordered: Whether the file says when its frames are shown, so that
            they can be told apart after a jump.
    """

    times: Tuple[int, ...]
    keys: Tuple[int, ...]
    ordered: bool


def count_video_frames(path: str) -> int:
    """How many frames a video file has; none of them is decoded."""
    return len(index_video(path).times)


def read_video_frames(path: str, numbers: Sequence[int]) -> List[np.ndarray]:
    """Decode some frames of a video file.

    Decoding begins at the last key frame before a frame, or goes on from
    the one before where no key frame lies between. Frames are those that
    decoding the whole file gives; where its times do not allow to jump, it
    is decoded from the start.

    Args:
        path: A local video file.
        numbers: Of the frames, from 0, in any order, also repeated.

    Returns:
        RGB, uint8, (H, W, 3), one for each number, each an array of its own.

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
    """Find out where a file's frames are; nothing is decoded."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, 'file', 'missing', 'a video') from None
    return _index_file(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=INDEXED_FILES)
def _index_file(path: str, size: int, changed: int) -> VideoIndex:
    """The index of a file as it was when it had this size and time."""
    try:
        with av.open(f'file:{path}') as container:
            stream = video_stream(container, path)
            packets = [
                (packet.pts, packet.is_keyframe, packet.is_discard)
                for packet in container.demux(stream)
                if packet.size  # The last one holds nothing.
            ]
            announced = stream.frames
    except av.FFmpegError as error:
        raise broken(path, error) from error
    if len(packets) < announced:
        warn_of_missing_frames(path, len(packets), announced)
    # Some are there for others to be decoded, and are never shown.
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
    """Go to the key frame before each frame and decode up to it.

    Args:
        path: A local video file.
        index: Of the file.
        wanted: Numbers of frames, ascending.

    Returns:
        Number -> RGB; None where a frame does not come when it should.
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
    """Decode a file up to the last frame that is wanted."""
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
    """A file cut short ends early, and FFmpeg says nothing."""
    print_log(
        describe(path, 'number of frames', found, f'{announced}, as it says'),
        logger='current',
        level=30,
    )


def video_stream(container: Any, path: Any) -> Any:
    """The first video stream of an open file."""
    streams = container.streams.video
    if container.format.name in NO_VIDEO_FORMATS or not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise InputError.of(
            path, f'streams ({container.format.name})', kinds, 'a video'
        )
    return streams[0]


def upright(frame: av.VideoFrame) -> np.ndarray:
    """RGB, uint8, (H, W, 3), turned as the file says (phones do that)."""
    picture = frame.to_ndarray(format='rgb24')
    quarters = round(frame.rotation / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(picture, quarters))


def broken(path: Any, error: av.FFmpegError, place: str = '') -> InputError:
    """What to say where FFmpeg gives up."""
    return InputError.of(
        path,
        f'content{place}',
        error.strerror,
        'a video that FFmpeg can decode',
    )
