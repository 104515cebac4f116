"""A video in windows."""

import gc
import weakref

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from refvos.apis.asked import AskedReference
from refvos.apis.results import WindowedResults
from refvos.apis.streaming import StreamedFrame, windows
from refvos.apis.video_reader import Frame
from refvos.errors import InputError
from refvos.structures import Reference

from .videos import HEIGHT, WIDTH, make_frames, write_images, write_lossless

TEXTS = ['the red square', 'a blue circle']


def number_frames(count):
    for index in range(count):
        yield Frame(np.zeros((2, 2, 3), np.uint8), str(index), 'test')


@pytest.mark.parametrize(
    ('count', 'size', 'overlap', 'expected'),
    [
        (7, 4, 1, [(0, [0, 1, 2, 3]), (1, [3, 4, 5, 6])]),
        (6, 4, 1, [(0, [0, 1, 2, 3]), (2, [2, 3, 4, 5])]),
        (4, 4, 2, [(0, [0, 1, 2, 3])]),
        (5, 4, 0, [(0, [0, 1, 2, 3]), (3, [1, 2, 3, 4])]),
        (2, 4, 2, [(0, [0, 1])]),
        (0, 4, 2, []),
    ],
)
def test_windows(count, size, overlap, expected):
    found = [
        (old, [int(frame.id) for frame in window])
        for old, window in windows(number_frames(count), size, overlap)
    ]
    assert found == expected
    fresh = [number for old, window in found for number in window[old:]]
    assert fresh == list(range(count))


def rle(left, width=4):
    mask = np.zeros((10, 20), np.uint8, order='F')
    mask[2:6, left : left + width] = 1
    return rle_codec.encode(mask)


def test_one_window_is_the_whole_video(inferencer):
    frames = make_frames(5)
    whole = inferencer(frames, TEXTS)
    streamed = list(inferencer.stream(iter(frames), TEXTS, window=8))
    assert [frame.index for frame in streamed] == list(range(5))
    for index, prediction in enumerate(whole.predictions):
        assert [f.masks[index] for f in streamed] == prediction.masks
        assert {f.scores[index] for f in streamed} == {prediction.score}
    for frame, given in zip(streamed, frames, strict=True):
        # A copy: the caller may use the array again.
        assert frame.picture is not given
        assert (frame.picture == given).all()


def test_several_windows(inferencer):
    frames = make_frames(7)
    streamed = list(inferencer.stream(frames, TEXTS, window=3, overlap=1))
    assert [frame.index for frame in streamed] == list(range(7))
    assert [frame.masks[0]['size'] for frame in streamed] == [
        [HEIGHT, WIDTH]
    ] * 7
    # With one query there is nothing to choose: windows one by one.
    for start, fresh in ((0, 0), (2, 1), (4, 1)):
        alone = inferencer(frames[start : start + 3], TEXTS)
        for index in range(2):
            masks = [f.masks[index] for f in streamed[start : start + 3]]
            expected = alone.predictions[index].masks
            assert masks[fresh:] == expected[fresh:]


def test_sources_of_a_stream(inferencer, tmp_path):
    frames = make_frames(4)
    expected = [f.masks for f in inferencer.stream(frames, TEXTS, 4, 1)]
    names = ['8.png', '9.png', '10.png', '11.png']
    paths = write_images(tmp_path / 'frames', frames, names)
    file = write_lossless(tmp_path / 'a.mkv', frames)
    for source in (tmp_path / 'frames', paths, file, iter(frames)):
        found = [f.masks for f in inferencer.stream(source, TEXTS, 4, 1)]
        assert found == expected
    half = inferencer.stream(file, TEXTS, 4, 1, fps=3)
    assert [f.id for f in half] == ['00000', '00002']


def test_no_more_than_a_window_is_kept(inferencer):
    alive = []

    def camera():
        for _ in range(12):
            frame = make_frames(1)[0]
            gc.collect()
            alive.append(weakref.ref(frame))
            assert sum(ref() is not None for ref in alive) <= 2 * 4 + 1
            yield frame
            del frame

    stream = inferencer.stream(camera(), TEXTS[:1], window=4, overlap=1)
    numbers = [frame.index for frame in stream]
    assert numbers == list(range(12))


def test_other_questions_in_between(inferencer):
    frames = make_frames(6)
    alone = inferencer(frames, TEXTS)
    expected = [f.masks for f in inferencer.stream(frames, TEXTS, 3, 1)]
    stream = inferencer.stream(frames, TEXTS, 3, 1)
    found = [next(stream).masks]
    again = inferencer(frames, TEXTS, threshold=0.9)
    found += [frame.masks for frame in stream]
    assert found == expected
    assert again.predictions[0].candidates == []
    assert alone.predictions[0].candidates == []


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(window=0), 'window is 0; expected at least 1'),
        (dict(window=4, overlap=4), 'overlap is 4; expected 0 to 3'),
        (dict(overlap=-1), 'overlap is -1; expected 0 to 31'),
        (dict(fps=0), 'fps is 0'),
        (dict(threshold=2), 'threshold is 2'),
    ],
)
def test_bad_numbers(inferencer, options, message):
    with pytest.raises(InputError, match=message):
        list(inferencer.stream(make_frames(2), TEXTS, **options))


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ([], 'frames is \\[\\]; expected at least one frame'),
        ('missing.mp4', "video is 'missing'; expected a video file"),
        ([make_frames(1)[0], make_frames(1)[0][:9]], 'frame 1: size'),
        (['missing.jpg'], 'missing.jpg'),
    ],
)
def test_bad_sources(inferencer, source, message):
    with pytest.raises(InputError, match=message):
        list(inferencer.stream(source, TEXTS))


def test_results_in_windows(inferencer, tmp_path):
    """A window as long as the video writes what a call without it writes."""
    file = write_lossless(tmp_path / 'a.mkv', make_frames(5), rate=8)
    whole = inferencer(file, TEXTS, tmp_path / 'whole')
    parts = inferencer(file, TEXTS, tmp_path / 'parts', window=5)
    assert parts.frame_ids == whole.frame_ids
    assert parts.frame_size == whole.frame_size
    assert parts.fps == whole.fps == 8
    for index in range(2):
        assert (parts.masks(index) == whole.masks(index)).all()
    written = sorted(
        path.relative_to(tmp_path / 'whole')
        for path in (tmp_path / 'whole').rglob('*')
    )
    assert written == sorted(
        path.relative_to(tmp_path / 'parts')
        for path in (tmp_path / 'parts').rglob('*')
    )
    for name in written:
        one, two = tmp_path / 'whole' / name, tmp_path / 'parts' / name
        if name.suffix == '.png':
            assert one.read_bytes() == two.read_bytes()
    again = inferencer(file, TEXTS, tmp_path / 'parts', window=3)
    assert again.out_dir == tmp_path / 'parts'
    assert len(again.predictions[0].masks) == 5
    assert [path.name for path in tmp_path.iterdir()].count('parts') == 1


def test_a_strip_of_a_long_video(inferencer):
    results = WindowedResults(
        [AskedReference(Reference('0', text='x'))], fps=6.0
    )
    stream = (
        StreamedFrame(i, np.zeros((2, 2, 3), np.uint8), f'{i}', [rle(0)], [1])
        for i in range(1000)
    )
    assert sum(1 for _ in results.gather(stream)) == 1000
    numbers = [number for number, _ in results.shown]
    assert 8 <= len(numbers) <= 24
    assert np.unique(np.diff(numbers)).size == 1
    assert numbers[0] == 0 and numbers[-1] > 900


def test_nothing_is_written_of_a_stream_that_fails(inferencer, tmp_path):
    frames = [*make_frames(4), make_frames(1)[0][:9]]
    with pytest.raises(InputError, match='frame 4'):
        inferencer(iter(frames), TEXTS, tmp_path / 'out', window=2)
    assert list(tmp_path.iterdir()) == []
