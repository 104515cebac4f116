"""Frames of video files by their index."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from mmengine.registry import init_default_scope

from refvos.io import video_frames
from refvos.io.media import open_media
from refvos.io.video_frames import (
    count_video_frames,
    index_video,
    pixel_aspect_of,
    read_video_frames,
    upright,
)
from tests.builders import message_of

NUM_FRAMES = 50
HEIGHT, WIDTH = 48, 64
LONG_GOP = {'x264-params': 'keyint=20:min-keyint=20:bframes=3:scenecut=0'}


def draw_frames(count=NUM_FRAMES):
    """Draw moving noise: all frames differ."""
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, 200, 3))
    smooth = noise.reshape(HEIGHT // 4, 4, 50, 4, 3).mean((1, 3))
    wide = smooth.repeat(4, 0).repeat(4, 1).astype(np.uint8)
    return [wide[:, i : i + WIDTH] for i in range(count)]


def write(path, codec='libx264', options=None, count=NUM_FRAMES, flags=''):
    muxing = {'movflags': flags} if flags else {}
    with av.open(str(path), 'w', options=muxing) as container:
        stream = container.add_stream(codec, Fraction(25))
        stream.height, stream.width = HEIGHT, WIDTH
        stream.pix_fmt = 'yuv420p'
        stream.options = {'threads': '1', **(options or {})}
        for frame in draw_frames(count):
            picture = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(frame), 'rgb24'
            )
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return str(path)


def decode_all(path):
    with av.open(path) as container:
        return [upright(frame) for frame in container.decode(video=0)]


@pytest.fixture(scope='module')
def film(tmp_path_factory):
    """A video with keys at 0, 20 and 40 and B-frames, and its frames."""
    path = write(tmp_path_factory.mktemp('film') / 'a.mp4', options=LONG_GOP)
    return path, decode_all(path)


@pytest.fixture
def decoded(monkeypatch):
    """List the times of the frames that are decoded."""
    times = []
    real = av.open

    class Spy:
        def __init__(self, container):
            self.container = container

        def __enter__(self):
            self.container.__enter__()
            return self

        def __exit__(self, *args):
            return self.container.__exit__(*args)

        def __getattr__(self, name):
            return getattr(self.container, name)

        def decode(self, *args):
            for frame in self.container.decode(*args):
                times.append(frame.pts)
                yield frame

    monkeypatch.setattr(
        video_frames.av,
        'open',
        lambda *args, **kwargs: Spy(real(*args, **kwargs)),
    )
    return times


def test_the_video_has_reordered_frames(film):
    path, frames = film
    with av.open(path) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    times = [packet.pts for packet in packets]
    assert times != sorted(times)
    assert sum(packet.is_keyframe for packet in packets) == 3
    assert len(frames) == NUM_FRAMES == count_video_frames(path)
    assert len({frame.tobytes() for frame in frames}) == NUM_FRAMES


def test_every_frame_alone_is_that_of_the_whole(film):
    path, frames = film
    for number, frame in enumerate(frames):
        (got,) = read_video_frames(path, [number])
        assert np.array_equal(got, frame), number


@pytest.mark.parametrize(
    'numbers',
    [[24, 25, 26], [0, 0, 0, 1, 2], [49, 3, 45, 3], list(range(50)), []],
)
def test_several_frames_at_once(film, numbers):
    path, frames = film
    got = read_video_frames(path, numbers)
    assert len(got) == len(numbers)
    for number, frame in zip(numbers, got, strict=True):
        assert np.array_equal(frame, frames[number]), number
    # Repeated frames can be changed apart.
    assert len({id(frame) for frame in got}) == len(numbers)


@pytest.mark.parametrize(
    ('numbers', 'most'),
    [
        ([41], 2),
        ([25, 26, 27], 8),
        # Seeks to 0 and to 40; nothing from 5 to 39.
        ([3, 4, 42, 43], 5 + 4),
        # No key frame lies between.
        ([21, 38], 19),
    ],
)
def test_only_needed_frames_are_decoded(film, decoded, numbers, most):
    read_video_frames(film[0], numbers)
    assert len(numbers) <= len(decoded) <= most
    assert decoded == sorted(decoded)


@pytest.mark.parametrize(
    ('name', 'codec', 'options', 'flags'),
    [
        ('open.mp4', 'libx264', 'keyint=10:bframes=3:open-gop=1', ''),
        ('short.mp4', 'libx264', 'keyint=2:bframes=1:b-adapt=0', ''),
        ('pyramid.mp4', 'libx264', 'keyint=250:bframes=8:b-pyramid=2', ''),
        ('fast.mp4', 'libx264', 'keyint=10', 'faststart'),
        ('parts.mp4', 'libx264', 'keyint=10', 'frag_keyframe+empty_moov'),
        ('a.mkv', 'libx264', 'keyint=12:bframes=3', ''),
        ('a.ts', 'libx264', 'keyint=12:bframes=3', ''),
        ('a.avi', 'mpeg4', None, ''),
        # Without times: decoded from the start.
        ('a.h264', 'libx264', 'keyint=12:bframes=3', ''),
    ],
)
def test_other_files(tmp_path, name, codec, options, flags):
    options = {'x264-params': options} if options else {'g': '12', 'bf': '2'}
    path = write(tmp_path / name, codec, options, flags=flags)
    frames = decode_all(path)
    assert count_video_frames(path) == len(frames) == NUM_FRAMES
    for number in [0, 1, 9, 10, 11, 12, 23, 24, 25, 30, 48, 49]:
        (got,) = read_video_frames(path, [number])
        assert np.array_equal(got, frames[number]), number
    got = read_video_frames(path, [7, 8, 40])
    assert all(np.array_equal(a, frames[b]) for a, b in zip(got, [7, 8, 40]))


def test_a_wrong_index_falls_back_to_decoding_from_the_start(
    film, monkeypatch
):
    """The times of the index do not occur."""
    path, frames = film
    index = index_video(path)
    shifted = video_frames.VideoIndex(
        tuple(time + 1 for time in index.times), index.keys, True
    )
    monkeypatch.setattr(video_frames, 'index_video', lambda path: shifted)
    (got,) = read_video_frames(path, [27])
    assert np.array_equal(got, frames[27])


def test_a_changed_file_is_indexed_again(tmp_path):
    path = write(tmp_path / 'a.mp4', count=5)
    assert count_video_frames(path) == 5
    write(path, count=7)
    os.utime(path, (1, 1))
    assert count_video_frames(path) == 7


def refused(path, numbers=(0,)):
    return message_of(read_video_frames, str(path), numbers)


@pytest.mark.parametrize('number', [-1, 50])
def test_past_the_end(film, number):
    assert refused(film[0], [3, number]) == (
        f'{film[0]}: frame is {number}; expected one of its 50 frames, '
        'counted from 0'
    )


def test_missing_and_broken_files(tmp_path, film):
    path = tmp_path / 'no.mp4'
    assert refused(path) == f"{path}: file is 'missing'; expected a video"
    path.write_bytes(b'nonsense' * 400)
    assert refused(path) == (
        f"{path}: content is 'Invalid data found when processing input'; "
        'expected a video that FFmpeg can decode'
    )
    with open(film[0], 'rb') as file:
        path.write_bytes(file.read()[:-200])
    assert refused(path).startswith(f'{path}: content is ')


def test_a_truncated_file_is_reported_once(tmp_path, logged):
    """The index comes first and lists frames that are missing."""
    path = tmp_path / 'a.mp4'
    write(path, options=LONG_GOP, flags='faststart')
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.9)])
    found = count_video_frames(str(path))
    assert 20 < found < NUM_FRAMES
    assert len(read_video_frames(str(path), [0, 5])) == 2
    assert refused(path, [49]) == (
        f'{path}: frame is 49; expected one of its {found} frames, counted '
        'from 0'
    )
    assert logged == [
        f'{path}: number of frames is {found}; expected 50, as it says'
    ]


def test_frames_of_videos_and_images_load_alike(film, tmp_path):
    init_default_scope('mmdet')
    load = TRANSFORMS.build({'type': 'LoadFrames'})
    path, frames = film
    numbers = [30, 30, 2]
    clip = [{'video_path': path, 'frame_index': i} for i in numbers]
    loaded = load({'frames': clip})['frames']
    for number, frame in zip(numbers, loaded, strict=True):
        assert np.array_equal(frame['img'], frames[number])
        assert frame['img_shape'] == frame['ori_shape'] == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    'read',
    [
        count_video_frames,
        open_media,
        pixel_aspect_of,
        lambda path: read_video_frames(path, [0]),
    ],
)
def test_a_named_pipe_is_no_video(tmp_path, read):
    """Opening it would wait for another process."""
    path = tmp_path / 'a.mp4'
    os.mkfifo(path)
    message = message_of(read, str(path))
    assert message.startswith(f"{path}: file is 'a named pipe'; expected a ")
