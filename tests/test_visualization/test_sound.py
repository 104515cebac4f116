"""The sound below a frame."""

import math
import wave

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as mask_utils

from refvos.structures import RefDataSample, Reference, ReferencePrediction
from refvos.visualization import (
    RefVOSVisualizationHook,
    RefVOSVisualizer,
    draw_overlay,
    moment_of,
    sound_band,
)
from refvos.visualization.sound import BACKGROUND, EDGE, LOUD, NOW, QUIET
from refvos.visualization.visualization_hook import read_waveform

RATE = 16000
SIZE = (40, 60)


def is_color(band, color):
    return (band == color).all(-1)


def test_waveform_by_hand():
    """Silent, then at full level, then at half level and only upwards."""
    sound = np.concatenate(
        [np.zeros(200), np.tile([1.0, -1.0], 100), np.full(200, 0.5)]
    )
    band = sound_band(300, sound, (0.0, 1.0))
    assert band.shape == (48, 300, 3)
    drawn = is_color(band, LOUD)
    # The middle is 23.5 pixels from the top; the loudest reaches 0.9 of it.
    assert np.flatnonzero(drawn[:, 150]).tolist() == list(range(2, 46))
    half = np.flatnonzero(drawn[:, 250])
    assert half.tolist() == [round(23.5 - 0.45 * 23.5)]
    assert drawn[:, 50].sum() == 1
    assert is_color(band[0], NOW)[1:-1].all()


def test_the_current_frame_is_marked():
    sound = np.sin(np.arange(1000))
    band = sound_band(200, sound, moment_of(1, 5))
    assert moment_of(1, 5) == (0.2, 0.4)
    loud, quiet = is_color(band, LOUD), is_color(band, QUIET)
    assert np.flatnonzero(loud.any(0)).tolist() == list(range(41, 79))
    assert quiet[:, :40].any(0).all() and quiet[:, 80:].any(0).all()
    assert is_color(band[:, [40, 79]], EDGE).all()
    assert is_color(band[0, :40], BACKGROUND).all()
    # The mark is at least one pixel wide, however many frames there are.
    for frame in (0, 4999):
        band = sound_band(200, sound, moment_of(frame, 5000))
        assert is_color(band, EDGE).all(0).sum() == 1


def test_sounds_shorter_than_the_band_is_wide():
    band = sound_band(64, np.array([1.0, 0.5]), (0, 1))
    drawn = is_color(band, LOUD)[:, 1:-1]
    assert (drawn.sum(0) == 1).all()
    assert drawn[:, :31].argmax(0).max() < drawn[:, 31:].argmax(0).min()


def test_log_mel_is_drawn_with_low_frequencies_at_the_bottom():
    """A high tone in the first half, a low one in the second."""
    sound = np.full((2, 1, 96, 64), math.log(0.01), np.float32)
    sound[0, 0, :, 60:] = 2
    sound[1, 0, :, :4] = 2
    band = sound_band(400, sound, (0.5, 1.0)).astype(int).sum(-1)
    assert band[2, 100] > 3 * band[-3, 100]
    assert band[-3, 300] > 3 * band[2, 300]
    # The rest of the sound is darker than the current frame.
    assert band[-3, 300] > 1.5 * band[2, 100]


@pytest.mark.parametrize(
    'sound, moment, message',
    [
        (np.zeros(0), (0, 1), 'sound has shape'),
        (np.zeros((2, 5)), (0, 1), 'sound has shape'),
        (np.zeros(5), (0.5, 0.5), 'moment is'),
        (np.zeros(5), (0.5, 1.2), 'moment is'),
    ],
)
def test_bad_arguments(sound, moment, message):
    with pytest.raises(ValueError, match=message):
        sound_band(64, sound, moment)


def test_overlay_has_the_sound_between_frame_and_labels():
    frame = np.full((*SIZE, 3), 100, np.uint8)
    mask = np.zeros(SIZE, bool)
    sound = np.sin(np.arange(500))
    plain = draw_overlay(frame, [mask], labels=['a'])
    heard = draw_overlay(
        frame, [mask], labels=['a'], sound=sound, moment=(0, 0.5)
    )
    height = len(heard) - len(plain)
    assert np.array_equal(heard[:40], plain[:40])
    assert np.array_equal(heard[40 + height :], plain[40:])
    band = sound_band(60, sound, (0, 0.5))
    assert np.array_equal(heard[40 : 40 + height], band)


def sample_with_sound(folder, sound):
    """A clip of three frames with an empty answer to a sound."""
    paths = [folder / f'{i}.png' for i in range(3)]
    for path in paths:
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(path)
    empty = mask_utils.encode(np.zeros(SIZE, np.uint8, order='F'))
    sample = RefDataSample(
        metainfo={
            'video_id': 'v',
            'frame_ids': ['0', '1', '2'],
            'img_paths': [str(path) for path in paths],
            'ori_shape': SIZE,
            'seconds': 3,
        }
    )
    reference = Reference('0', sound=sound)
    sample.references = [reference]
    sample.predictions = [ReferencePrediction(reference, [empty] * 3, 0.5)]
    return sample


def write_wav(path, samples):
    with wave.open(str(path), 'wb') as file:
        file.setparams((1, 2, RATE, 0, 'NONE', ''))
        file.writeframes((32767 * samples).astype('<i2').tobytes())


def test_hook_draws_the_waveform_of_the_file(tmp_path):
    """The model had a log-mel; the file is 2 s, the video 3: then silence."""
    sample = sample_with_sound(tmp_path, torch.zeros(3, 1, 96, 64))
    assert read_waveform(sample) is None
    path = tmp_path / 'sound.wav'
    write_wav(path, 0.5 * np.sin(np.arange(2 * RATE)))
    sample.set_metainfo({'sound_path': str(path)})
    waveform = read_waveform(sample)
    assert waveform.shape == (3 * RATE,)
    assert np.abs(waveform[: 2 * RATE]).max() == pytest.approx(0.5, abs=1e-3)
    assert (waveform[2 * RATE :] == 0).all()
    hook = RefVOSVisualizationHook(visualizer={'strip_frames': 3})
    drawn = hook._visualizer.draw_strip(
        [np.full((*SIZE, 3), 90, np.uint8)] * 3, sample, True, waveform
    )
    # Enlarged to 256 x 384; the band below is 0.16 of the width.
    band = drawn[256 : 256 + 61]
    first, last = band[:, 1:127], band[:, 2 * 388 + 257 : 2 * 388 + 383]
    assert is_color(first, LOUD).any(0).mean() > 0.9
    # The third second is silent: a line as thin as can be.
    assert (is_color(last, LOUD).sum(0) == 1).all()


def test_sound_is_drawn_only_where_there_is_one(tmp_path):
    frames = [np.full((*SIZE, 3), 90, np.uint8)] * 3
    heard = sample_with_sound(tmp_path, torch.zeros(3 * RATE))
    tall = RefVOSVisualizer().draw_strip(frames, heard)
    off = RefVOSVisualizer(draw_sound=False).draw_strip(frames, heard)
    assert len(tall) - len(off) == round(0.16 * 384)
    (frame, *_) = RefVOSVisualizer().draw_frames(frames, heard.predictions)
    said = sample_with_sound(tmp_path, None)
    assert RefVOSVisualizer().draw_strip(frames, said).shape == off.shape
    (other, *_) = RefVOSVisualizer().draw_frames(
        frames, said.predictions, np.zeros(9)
    )
    assert len(frame) - len(other) == round(0.16 * 384)


def test_names_of_references():
    sound = torch.zeros(4)
    assert Reference('7', sound=sound).name == '[sound]'
    both = Reference('7', 'a cat', sound=sound)
    assert both.name == 'a cat [sound]'
    assert Reference('7').name == 'reference 7'
