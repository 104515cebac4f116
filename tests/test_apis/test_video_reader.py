import logging
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

from refvos.apis import memory_check, read_video
from refvos.apis.video_reader import (
    describe_video,
    natural_order,
    stream_video,
)
from refvos.errors import InputError
from refvos.io.media import set_playlists
from refvos.io.video_frames import read_video_frames, thin_out

from .videos import (
    HEIGHT,
    WIDTH,
    make_frames,
    write_images,
    write_lossless,
    write_mp4,
    write_sound,
)

FRAMES = make_frames(3)


def same(video, frames):
    return len(video.frames) == len(frames) and all(
        (got == wanted).all()
        for got, wanted in zip(video.frames, frames, strict=True)
    )


def test_folder_in_natural_order(tmp_path):
    folder = tmp_path / 'cat'
    write_images(folder, FRAMES, ['f10.png', 'f9.png', 'f100.PNG'])
    (folder / 'notes.txt').write_text('no frame')
    (folder / '.f1.png').write_bytes(b'')
    video = read_video(folder)
    assert video.frame_ids == ['f9', 'f10', 'f100']
    assert same(video, [FRAMES[1], FRAMES[0], FRAMES[2]])
    assert (video.name, video.fps) == ('cat', 6.0)
    assert video.size == (HEIGHT, WIDTH)


def test_natural_order_compares_numbers_with_numbers():
    names = ['b', '2b', 'a10', 'a2', '10', 'a02']
    ordered = sorted((Path(name) for name in names), key=natural_order)
    assert [p.name for p in ordered] == [
        '2b', '10', 'a02', 'a2', 'a10', 'b',
    ]  # fmt: skip


def test_lists_of_images_keep_their_order(tmp_path):
    paths = write_images(tmp_path / 'a', FRAMES, ['2.png', '1.png', '3.png'])
    video = read_video([str(path) for path in paths], fps=12)
    assert same(video, FRAMES)
    assert video.frame_ids == ['2', '1', '3']
    assert video.fps == 12


def test_names_that_collide_become_numbers(tmp_path):
    (a,) = write_images(tmp_path / 'a', FRAMES[:1], ['1.png'])
    (b,) = write_images(tmp_path / 'b', FRAMES[1:2], ['1.png'])
    video = read_video([a, b])
    assert video.frame_ids == ['00000', '00001']
    assert same(video, FRAMES[:2])


def test_one_image_is_a_video_of_one_frame(tmp_path):
    (path,) = write_images(tmp_path / 'a', FRAMES[:1], ['x.png'])
    assert same(read_video(path), FRAMES[:1])


@pytest.mark.parametrize('name', ['a.webp', 'a.png', 'a.tif'])
def test_animations_are_videos(tmp_path, name):
    frames = make_frames(6)
    images = [Image.fromarray(frame) for frame in frames]
    options = {} if name == 'a.tif' else {'duration': 50}
    if name == 'a.webp':
        options['lossless'] = True
    path = tmp_path / name
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    video = read_video(path)
    assert same(video, frames)
    assert video.fps == pytest.approx(20 if options else 6)
    assert video.frame_ids == [f'{i:05d}' for i in range(6)]
    streamed = list(stream_video(path))
    assert [frame.id for frame in streamed] == video.frame_ids
    facts = describe_video(path)
    assert (facts.name, facts.fps) == ('a', pytest.approx(video.fps))
    if options:
        # The frames at 0, 100 and 200 ms of 300.
        video = read_video(path, fps=10)
        assert same(video, frames[::2])
        assert video.fps == pytest.approx(10)
    # In a folder, each image is a frame.
    assert refused(tmp_path).startswith(
        f'{path}: number of frames is 6; expected 1'
    )


def test_named_pipes_and_impossible_names(tmp_path):
    os.mkfifo(tmp_path / 'a.jpg')
    assert refused(tmp_path).startswith(
        f"{tmp_path / 'a.jpg'}: file is 'a named pipe'"
    )
    assert 'missing' in refused(tmp_path / 'a.jpg')
    for name in ('a\0b.png', 'x' * 300 + '.png'):
        assert 'missing' in refused(tmp_path / name)


def test_frames_as_they_are():
    for given in (FRAMES, tuple(FRAMES), np.stack(FRAMES)):
        video = read_video(given)
        assert same(video, FRAMES)
        assert video.frame_ids == ['00000', '00001', '00002']


def test_lossless_file(tmp_path):
    video = read_video(write_lossless(tmp_path / 'a:b.mkv', FRAMES, rate=8))
    assert same(video, FRAMES)
    assert (video.name, video.fps) == ('a:b', 8.0)
    assert video.frame_ids == ['00000', '00001', '00002']


def test_mp4_is_nearly_the_same(tmp_path):
    video = read_video(write_mp4(tmp_path / 'a.mp4', FRAMES))
    assert [frame.shape for frame in video.frames] == [(HEIGHT, WIDTH, 3)] * 3
    for got, wanted in zip(video.frames, FRAMES, strict=True):
        # What is lost is colour at the edges, stored at half the size.
        assert np.abs(got.astype(int) - wanted).mean() < 12


def test_a_faster_video_is_thinned_out(tmp_path):
    path = write_lossless(tmp_path / 'a.mkv', make_frames(9), rate=12)
    video = read_video(path, fps=4)
    assert video.frame_ids == ['00000', '00003', '00006']
    assert same(video, [make_frames(9)[i] for i in (0, 3, 6)])
    assert video.fps == 4
    # There are no more frames than the file has.
    assert len(read_video(path, fps=50).frames) == 9
    assert read_video(path, fps=50).fps == 12


@pytest.mark.parametrize(
    'rate, fps, kept',
    [
        (30, 6, [0, 5, 10, 15, 20, 25]),
        # Slot k holds the first frame i with (i + 1/2) * 3/5 >= k.
        (5, 3, [0, 2, 3, 5, 7, 8]),
        (2, 4, list(range(10))),
    ],
)
def test_thinning(rate, fps, kept):
    # Times in files are rounded, here to milliseconds.
    for digits in (3, 9):
        times = [round(i / rate, digits) for i in range(100)]
        assert thin_out(times, 1 / rate, fps)[: len(kept)] == kept


def write_timed(path, times, rate=30, codec='libx264', sar=None):
    """Write frames at given milliseconds."""
    frames = make_frames(4)
    unit = Fraction(1, 1000)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, Fraction(rate))
        stream.height, stream.width = HEIGHT, WIDTH
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = unit
        if sar is not None:
            stream.codec_context.sample_aspect_ratio = sar
        for index, time in enumerate(times):
            picture = av.VideoFrame.from_ndarray(frames[index % 4], 'rgb24')
            picture.pts, picture.time_base = time, unit
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def test_the_rate_is_that_of_the_times(tmp_path):
    """A browser's recording claims 1000 frames per second."""
    times = [round(i * 1000 / 30) for i in range(30)]
    path = write_timed(tmp_path / 'a.webm', times, 1000, 'libvpx')
    video = read_video(path)
    assert len(video.frames) == 30
    assert video.seconds == pytest.approx(1, abs=0.02)
    assert video.fps == pytest.approx(30, rel=0.02)
    assert video.times is None
    thinned = read_video(path, fps=10)
    assert (len(thinned.frames), thinned.fps) == (10, 10)


def test_a_varying_rate_keeps_its_length(tmp_path):
    """A second at 20 frames per second, then four at one."""
    times = [50 * i for i in range(20)] + [1000, 2000, 3000, 4000]
    path = write_timed(tmp_path / 'a.mkv', times)
    for fps, count in ((None, 24), (5, 5 + 4), (1, 5)):
        video = read_video(path, fps=fps)
        assert len(video.frames) == count, fps
        assert video.seconds == pytest.approx(5, abs=1)
        assert len(video.frames) / video.fps == pytest.approx(5, abs=1)
        if fps != 1:
            assert video.times[-2] == pytest.approx((3, 4), abs=0.01)
            assert video.moments[-1][1] == pytest.approx(1)


def test_pixels_that_are_not_square(tmp_path):
    path = write_timed(tmp_path / 'a.mp4', [0, 100], sar=Fraction(3, 2))
    video = read_video(path)
    assert video.size == (HEIGHT, WIDTH)
    assert video.pixel_aspect == pytest.approx(1.5)
    assert read_video(FRAMES).pixel_aspect == 1


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('a.ffconcat', "ffconcat version 1.0\nfile 'v.mp4'\n"),
        (
            'a.m3u8',
            '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nv.mp4\n'
            '#EXT-X-ENDLIST\n',
        ),
    ],
)
def test_playlists_are_read_only_if_asked(tmp_path, name, content):
    write_mp4(tmp_path / 'v.mp4', FRAMES)
    path = tmp_path / name
    path.write_text(content)
    assert refused(path).startswith(f"{path}: content is 'a playlist'")
    set_playlists(True)
    try:
        assert len(read_video(path).frames) == 3
    finally:
        set_playlists(False)


def test_titles_in_any_encoding(tmp_path):
    path = tmp_path / 'a.mp4'
    with av.open(str(path), 'w') as container:
        container.metadata['title'] = 'Xcafe'
        stream = container.add_stream('mpeg4', 6)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        picture = av.VideoFrame.from_ndarray(FRAMES[0], 'rgb24')
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b'Xcafe', b'Xcaf\xe9'))
    assert len(read_video(path).frames) == 1


def test_frames_are_copies():
    given = [frame.copy() for frame in FRAMES]
    video = read_video(given)
    for frame in given:
        frame[:] = 0
    assert same(video, FRAMES)
    buffer = np.empty_like(FRAMES[0])

    def camera():
        for frame in FRAMES:
            buffer[:] = frame
            yield buffer

    streamed = [frame.picture for frame in stream_video(camera())]
    assert all((a == b).all() for a, b in zip(streamed, FRAMES))


def test_more_frames_than_memory(tmp_path, monkeypatch):
    path = write_lossless(tmp_path / 'a.mkv', FRAMES)
    monkeypatch.setattr(memory_check, 'free_memory', lambda: 1000.0)
    message = refused(path)
    assert message.startswith(f'{path}: size in memory is ')
    assert '--window' in message
    for said, error, word in (
        ("can't allocate memory: you tried 9 bytes", InputError, '--window'),
        ('something else', RuntimeError, 'something else'),
    ):
        with (
            pytest.raises(error, match=word),
            memory_check.memory_errors_named('a video'),
        ):
            raise RuntimeError(said)


def test_phones_turn_their_videos(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', FRAMES)
    straight = read_video(path).frames[0]
    content = path.read_bytes()
    one, zero = (1 << 16).to_bytes(4, 'big'), bytes(4)
    last = (1 << 30).to_bytes(4, 'big')
    identity = one + zero * 3 + one + zero * 3 + last
    track = content.index(identity, content.index(b'tkhd'))
    end = track + len(identity)
    # (x, y) -> (a x + c y, b x + d y), y points down.
    for (a, b, c, d), change in (
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda p: p[::-1, ::-1].transpose(1, 0, 2)),
    ):
        a, b, c, d = (
            (v << 16).to_bytes(4, 'big', signed=True) for v in (a, b, c, d)
        )
        turned = a + b + zero + c + d + zero * 3 + last
        path.write_bytes(content[:track] + turned + content[end:])
        os.utime(path, ns=(0, (os.stat(path).st_mtime_ns + 1)))
        expected = change(straight)
        (first, *_) = read_video(path).frames
        assert np.array_equal(first, expected)
        assert np.array_equal(read_video_frames(str(path), [0])[0], expected)


def test_a_file_cut_short_is_told(tmp_path, monkeypatch):
    records = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(
        logger, 'handle', lambda record: records.append(record)
    )
    path = write_mp4(tmp_path / 'a.mp4', make_frames(12))
    with_index_first = to_fast_start(path, tmp_path / 'b.mp4')
    whole = with_index_first.read_bytes()
    assert len(read_video(with_index_first).frames) == 12
    assert not records
    with_index_first.write_bytes(whole[: int(len(whole) * 0.8)])
    found = len(read_video(with_index_first).frames)
    assert 0 < found < 12
    (record,) = records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f'{with_index_first}: number of frames is {found}; '
        'expected 12, as it says'
    )


def to_fast_start(source, target):
    """Copy a video with its index in front, so that a part can be read."""
    with (
        av.open(str(source)) as given,
        av.open(str(target), 'w', options={'movflags': 'faststart'}) as copied,
    ):
        stream = given.streams.video[0]
        copy = copied.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                copied.mux(packet)
    return target


def refused(source, **kwargs):
    with pytest.raises(InputError) as caught:
        read_video(source, **kwargs)
    message = str(caught.value)
    assert '\n' not in message
    return message


def test_nothing_there(tmp_path):
    path = tmp_path / 'no.mp4'
    assert refused(path) == (
        f"{path}: video is 'missing'; expected a video file or a folder of "
        'images'
    )
    (tmp_path / 'empty').mkdir()
    assert f'{tmp_path / "empty"}: images is []' in refused(tmp_path / 'empty')
    assert refused([]) == ('video: frames is []; expected at least one frame')
    assert f'{path.with_suffix(".png")}: file is ' in refused(
        [path.with_suffix('.png')]
    )
    assert 'video: video is 7' in refused(7)


@pytest.mark.parametrize('content', [b'', b'\0' * 4000, b'nonsense' * 300])
def test_no_video(tmp_path, content):
    path = tmp_path / 'a.mp4'
    path.write_bytes(content)
    message = refused(path)
    assert message.startswith(f'{path}: content is ')
    assert message.endswith('a video that FFmpeg can decode')


def test_a_video_without_its_index(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', FRAMES)
    path.write_bytes(path.read_bytes()[:-200])
    assert refused(path).startswith(f'{path}: content is ')


def test_text_and_sound_are_no_videos(tmp_path):
    text = tmp_path / 'a.txt'
    text.write_text('not a video\n' * 100)
    assert str(text) in refused(text)
    sound = write_sound(tmp_path / 'a.wav')
    assert refused(sound) == (
        f"{sound}: streams (wav) is ['audio']; expected a video"
    )


def test_truncated_image(tmp_path):
    names = ['0.jpg', '1.jpg', '2.jpg']
    paths = write_images(tmp_path / 'a', FRAMES, names)
    paths[1].write_bytes(paths[1].read_bytes()[:400])
    assert refused(tmp_path / 'a').startswith(f'{paths[1]}: content is ')
    (tmp_path / 'a.png').mkdir()
    assert refused([tmp_path / 'a.png']) == (
        f"{tmp_path / 'a.png'}: frame is 'a folder'; expected an image file"
    )


def test_images_of_different_sizes(tmp_path):
    frames = [FRAMES[0], FRAMES[1][:-2]]
    paths = write_images(tmp_path / 'a', frames, ['0.png', '1.png'])
    expected = (
        f'size (height, width) is ({HEIGHT - 2}, {WIDTH}); expected '
        f'({HEIGHT}, {WIDTH}), as the first frame of the video'
    )
    assert refused(paths) == f'{paths[1]}: {expected}'
    assert refused(frames) == f'frame 1: {expected}'


@pytest.mark.parametrize(
    'frame, message',
    [
        (
            FRAMES[0].astype(np.float32),
            "frame 1: dtype is 'float32'; expected uint8, RGB from 0 to 255",
        ),
        (
            FRAMES[0][..., 0],
            f'frame 1: shape is ({HEIGHT}, {WIDTH}); '
            'expected (height, width, 3), RGB',
        ),
        (
            FRAMES[0][:0],
            f'frame 1: shape is (0, {WIDTH}, 3); '
            'expected (height, width, 3), RGB',
        ),
        (
            'a.png',
            "frame 1: type is 'str'; expected a path or an array in every "
            'place of the list',
        ),
    ],
)
def test_frames_of_a_wrong_kind(frame, message):
    assert refused([FRAMES[0], frame]) == message


@pytest.mark.parametrize('fps', [0, -1, float('nan'), float('inf'), '6'])
def test_fps_must_be_a_rate(fps):
    assert refused(FRAMES, fps=fps) == (
        f'video: fps is {fps!r}; expected a number above 0'
    )
