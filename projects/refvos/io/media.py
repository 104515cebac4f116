"""Open videos and sounds with FFmpeg: which stream, which way up, how wide.

All readers of media files use these functions.
"""

import errno
import math
from functools import lru_cache
from typing import Any, Union, cast

import av
import numpy as np
from av.format import ContainerFormat
from av.stream import Disposition

from ..errors import InputError
from .local_files import check_regular

# Lists of other files: whoever sends one chooses which files are read.
PLAYLISTS = {
    'concat',
    'concatf',
    'dash',
    'hls',
    'imf',
    'sdp',
    'vobsub',
    'webm_dash_manifest',
}
# They make pictures of nothing, run scripts, or read devices and networks.
NOT_READ = {
    'avisynth',
    'ffmetadata',
    'image2',
    'lavfi',
    'rtp',
    'rtsp',
    'sap',
    'vapoursynth',
}
# FFmpeg renders any text file as the screen of a terminal.
NO_VIDEO_FORMATS = {'tty'}
PLAYLIST_STARTS = (b'#EXTM3U', b'ffconcat', b'<MPD', b'v=0')
HEAD = 4096  # bytes
PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
# Width by height of a pixel; files that say more are wrong.
WIDEST_PIXEL = 10.0

_playlists = False


def set_playlists(allowed: bool) -> None:
    """Set whether this process may read playlists (HLS, DASH, concat).

    They are small text files that name other files of this machine.
    """
    global _playlists
    _playlists = allowed


@lru_cache(maxsize=2)
def readable_formats(playlists: bool) -> str:
    """List the demuxers that may be used, in FFmpeg's form."""
    left_out = NOT_READ if playlists else NOT_READ | PLAYLISTS
    names = []
    for name in sorted(av.formats_available - left_out):
        try:
            names.append(ContainerFormat(name, 'r').name)
        except ValueError:  # It can only be written.
            continue
    return ','.join(dict.fromkeys(names))


def open_media(path: Any) -> Any:
    """Open a local video or sound file for reading.

    Titles in any encoding are accepted. Only files are read, no addresses.

    Args:
        path: Path of the file; a colon in it is no protocol.

    Returns:
        PyAV's container, a context manager.

    Raises:
        InputError: The file is a playlist, see :func:`set_playlists`, or no
            regular file.
        av.FFmpegError: FFmpeg cannot open it.
    """
    check_regular(path, 'a video or sound')
    try:
        return av.open(
            f'file:{path}',
            metadata_errors='replace',
            container_options={
                'format_whitelist': readable_formats(_playlists),
                'protocol_whitelist': 'file,crypto,data',
            },
        )
    except av.ArgumentError as error:
        if not _playlists and is_playlist(path):
            raise InputError.of(
                path,
                'content',
                'a playlist',
                'a video or sound, not a list of other files '
                '(--allow-playlists reads these, too)',
            ) from error
        raise


def is_playlist(path: Any) -> bool:
    """Tell by its first bytes whether a file lists other files."""
    with open(path, 'rb') as file:
        head = file.read(HEAD).lstrip(b'\xef\xbb\xbf \t\r\n')
    if head.startswith(b'<?xml'):
        return b'<MPD' in head or b'CompositionPlaylist' in head
    return head.startswith(PLAYLIST_STARTS)


def best_video(container: Any, path: Any) -> Any:
    """Return the main video stream of an open file.

    Pictures, such as the cover of a song, are no videos.

    Raises:
        InputError: It has none, or one that FFmpeg cannot decode.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & PICTURES
    ]
    if container.format.name in NO_VIDEO_FORMATS or not streams:
        raise no_video(container, path)
    best = container.streams.best('video')
    if best is None or best.index not in {stream.index for stream in streams}:
        best = max(streams, key=lambda stream: (stream.frames, -stream.index))
    return decodable(best, path)


def best_sound(container: Any, path: Any) -> Any:
    """Return the main sound stream of an open file.

    Raises:
        InputError: It has none, or one that FFmpeg cannot decode.
    """
    if not container.streams.audio:
        raise InputError(
            f'{path} has no sound track; expected a sound file, or a '
            'video file with sound'
        )
    best = container.streams.best('audio') or container.streams.audio[0]
    return decodable(best, path)


def no_video(container: Any, path: Any) -> InputError:
    """Make the error for a file without a video."""
    kinds = {
        'cover picture'
        if stream.type == 'video' and stream.disposition & PICTURES
        else stream.type
        for stream in container.streams
    }
    return InputError.of(
        path, f'streams ({container.format.name})', sorted(kinds), 'a video'
    )


def decodable(stream: Any, path: Any) -> Any:
    """Return the stream if FFmpeg has a decoder for it."""
    if stream.codec_context is None:
        raise InputError.of(
            path,
            f'codec of stream {stream.index}',
            'unknown',
            'one that FFmpeg can decode',
        )
    return stream


def upright(frame: av.VideoFrame) -> np.ndarray:
    """Convert to (H, W, 3) uint8 RGB, turned and mirrored as players do."""
    picture = frame.to_ndarray(format='rgb24')
    a, b, c, d = display_matrix(frame)
    if is_sideways(frame):
        picture = picture.transpose(1, 0, 2)
        left, up = c < 0, b < 0
    else:
        left, up = a < 0, d < 0
    picture = picture[:: -1 if up else 1, :: -1 if left else 1]
    return np.ascontiguousarray(picture)


def is_sideways(frame: av.VideoFrame) -> bool:
    """Tell whether width and height change places when shown."""
    a, b, c, d = display_matrix(frame)
    return abs(b) + abs(c) > abs(a) + abs(d)


def display_matrix(frame: av.VideoFrame) -> tuple:
    """Read how a frame is to be shown.

    Returns:
        a, b, c, d: (x, y) is shown at (a x + c y, b x + d y), y downwards.
    """
    try:
        data = frame.side_data.get('DISPLAYMATRIX')
    except ValueError:  # Side data that this PyAV does not know.
        angle = math.radians(frame.rotation)  # counter-clockwise
        cos, sin = math.cos(angle), math.sin(angle)
        return cos, -sin, sin, cos
    if data is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(cast(Any, data), np.int32)
    return tuple(matrix[[0, 1, 3, 4]].astype(int).tolist())


def pixel_aspect(stream: Any, frame: av.VideoFrame) -> float:
    """Return width by height of a pixel of :func:`upright`'s result."""
    ratio = float(stream.sample_aspect_ratio or 1)
    if not 1 / WIDEST_PIXEL <= ratio <= WIDEST_PIXEL:
        return 1.0
    return 1 / ratio if is_sideways(frame) else ratio


def broken(
    path: Any, error: av.FFmpegError, place: str = ''
) -> Union[InputError, MemoryError]:
    """Make the error for a file that FFmpeg cannot decode."""
    if error.errno == errno.ENOMEM:
        return MemoryError(str(error))
    return InputError.of(
        path,
        f'content{place}',
        error.strerror,
        'a video that FFmpeg can decode',
    )
