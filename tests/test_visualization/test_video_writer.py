import os

import av
import numpy as np
import pytest
from PIL import Image

from refvos.visualization import write_image, write_strip, write_video


def read_video(path):
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        frames = container.decode(video=0)
        return [frame.to_ndarray(format='rgb24') for frame in frames], rate


def test_video_holds_the_frames(tmp_path):
    path = tmp_path / 'new' / 'a.mp4'
    values = (20, 120, 220)
    write_video(
        path, (np.full((48, 64, 3), v, np.uint8) for v in values), fps=5
    )
    frames, rate = read_video(path)
    assert rate == 5
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
    # The encoder loses a little.
    for frame, value in zip(frames, values, strict=True):
        assert np.abs(frame.astype(int) - value).mean() < 4
    assert os.listdir(path.parent) == ['a.mp4']


def test_odd_sizes_become_even(tmp_path):
    write_video(tmp_path / 'a.mp4', [np.full((47, 63, 3), 99, np.uint8)])
    (frame,), _ = read_video(tmp_path / 'a.mp4')
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame[-1].astype(int) - 99).max() < 12


def test_a_video_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / 'a.mp4'
    write_video(path, [np.zeros((48, 64, 3), np.uint8)])
    before = path.read_bytes()
    frames = [np.zeros((48, 64, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)]
    with pytest.raises(ValueError, match=r'frame has shape \(8, 8, 3\)'):
        write_video(path, frames)
    with pytest.raises(ValueError, match=r'no frames for .*a.mp4'):
        write_video(path, [])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ['a.mp4']


def test_images(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    write_image(tmp_path / 'a.png', image)
    assert (np.asarray(Image.open(tmp_path / 'a.png')) == image).all()
    write_strip(tmp_path / 'b.png', [image] * 3, columns=3)
    strip = np.asarray(Image.open(tmp_path / 'b.png'))
    assert strip.shape == (5, 3 * 7 + 2 * 4, 3)
    assert (strip[:, -7:] == image).all()
    assert sorted(os.listdir(tmp_path)) == ['a.png', 'b.png']


def test_frames_keep_their_times(tmp_path):
    frames = [np.full((48, 64, 3), v, np.uint8) for v in (20, 120, 220)]
    times = [(0.0, 0.1), (0.1, 1.5), (1.5, 2.0)]
    write_video(tmp_path / 'a.mp4', frames, fps=1.5, times=times)
    with av.open(str(tmp_path / 'a.mp4')) as container:
        found = [frame.time for frame in container.decode(video=0)]
        length = container.duration / av.time_base
    assert found == pytest.approx([0, 0.1, 1.5], abs=0.01)
    assert length == pytest.approx(2, abs=0.1)


def test_too_large_frames_are_shrunk(tmp_path):
    frame = np.zeros((20, 20000, 3), np.uint8)
    write_video(tmp_path / 'a.mp4', [frame])
    (read,), _ = read_video(tmp_path / 'a.mp4')
    assert read.shape == (8, 8192, 3)
