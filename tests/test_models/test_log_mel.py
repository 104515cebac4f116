"""VGGish's front end, against the published one and from its definition."""

import math

import numpy as np
import pytest
import torch

from refvos.io.log_mel import (
    examples_per_second,
    mel_bands,
    silent_examples,
    vggish_log_mel,
)
from tests.formula_weights import DATA

RATE = 16000


def oracle():
    content = np.load(DATA / 'oracle' / 'vggish_16k.npz')
    assert int(content['sample_rate']) == RATE
    waveform = torch.from_numpy(content['pcm16'] / np.float32(32768))
    return waveform, torch.from_numpy(content['log_mel'])


def mel(hertz):
    return 1127 * math.log(1 + hertz / 700)


def band_weight(band, hertz):
    """Of 64 triangles between 66 equal steps of mel from 125 to 7500 Hz."""
    step = (mel(7500) - mel(125)) / 65
    distance = abs(mel(hertz) - (mel(125) + (band + 1) * step))
    return max(0.0, 1 - distance / step)


def defined_log_mel(window):
    """One row of 64 numbers from 400 samples, by the definitions alone."""
    n = np.arange(400)
    tapered = window * (0.5 - 0.5 * np.cos(2 * np.pi * n / 400))
    k = np.arange(257)
    spectrum = np.exp(-2j * np.pi * np.outer(k, n) / 512) @ tapered
    weights = [
        [band_weight(band, bin_ * RATE / 512) for bin_ in k]
        for band in range(64)
    ]
    return np.log(np.array(weights) @ np.abs(spectrum) + 0.01)


def test_published_examples():
    waveform, log_mel = oracle()
    # Both compute in float64 and round at the end.
    assert (vggish_log_mel(waveform) - log_mel).abs().max() < 1e-6


def test_windows_from_the_definition():
    """Loud, quiet, and where windows overlap the second example."""
    rng = np.random.default_rng(3)
    times = np.arange(2 * RATE) / RATE
    sound = 0.4 * np.sin(2 * np.pi * (200 + 1500 * times) * times)
    sound += np.where(times > 1, 0.1, 0.001) * rng.standard_normal(len(times))
    (first, second) = vggish_log_mel(torch.from_numpy(sound))[:, 0]
    for example, row, start in (
        (first, 0, 0),
        (first, 95, 95 * 160),
        (second, 0, 96 * 160),
        (second, 50, 146 * 160),
    ):
        expected = defined_log_mel(sound[start : start + 400])
        difference = np.abs(example[row].numpy() - expected)
        assert difference.max() < 1e-6, (row, start)


def test_bands():
    bands = mel_bands()
    assert bands.shape == (257, 64)
    # 31.25 Hz a bin: 125 and 7500 Hz are the ends, and weigh nothing.
    assert not bands[:5].any() and not bands[240:].any()
    assert bands[5].any() and bands[239].any()
    # 125 Hz is 185.2 mel, 7500 Hz 2773.3, a step 39.82; 1 kHz is 1000.0 mel
    # and 20.46 steps up: between the tops of bands 19 and 20.
    assert bands[32].nonzero()[:, 0].tolist() == [19, 20]
    assert bands[32, 19].item() == pytest.approx(0.536, abs=1e-3)
    assert bands[32, 20].item() == pytest.approx(0.464, abs=1e-3)


def test_a_tone_is_loudest_in_its_band():
    times = torch.arange(RATE) / RATE
    for hertz in (300, 1000, 5000):
        tone = torch.sin(2 * math.pi * hertz * times)
        (example,) = vggish_log_mel(tone)[:, 0]
        loudest = max(range(64), key=lambda band: band_weight(band, hertz))
        assert (example.argmax(1) == loudest).all()


@pytest.mark.parametrize(
    ('samples', 'count'),
    [(0, 0), (15599, 0), (15600, 1), (30959, 1), (30960, 2), (80000, 5)],
)
def test_number_of_examples(samples, count):
    """96 windows are 95 steps of 160 and a window of 400."""
    examples = vggish_log_mel(torch.zeros(samples))
    assert examples.shape == (count, 1, 96, 64)
    assert torch.equal(examples, silent_examples(count))
    assert (examples == math.log(0.01)).all()


def test_a_second_gives_the_example_of_its_own_sound():
    waveform, _ = oracle()
    examples = examples_per_second(waveform)
    assert examples.shape == (5, 1, 96, 64)
    for second, example in zip(waveform.split(RATE), examples):
        assert torch.equal(vggish_log_mel(second), example[None])


def test_what_is_left_of_a_second():
    waveform, _ = oracle()
    whole = examples_per_second(waveform)
    assert torch.equal(examples_per_second(waveform[: RATE + 7999]), whole[:1])
    longer = examples_per_second(waveform[: RATE + 8000])
    assert torch.equal(longer[0], whole[0])
    filled = torch.cat((waveform[RATE : RATE + 8000], torch.zeros(8000)))
    assert torch.equal(longer[1:], vggish_log_mel(filled))
    assert examples_per_second(waveform[:10]).shape == (1, 1, 96, 64)


def test_many_seconds_are_those_one_by_one():
    """More than are computed at once."""
    generator = torch.Generator().manual_seed(0)
    waveform = torch.rand(70 * RATE, generator=generator) - 0.5
    examples = examples_per_second(waveform)
    assert len(examples) == 70
    for second in (0, 63, 64, 69):
        piece = waveform[second * RATE : (second + 1) * RATE]
        torch.testing.assert_close(
            examples[second : second + 1], vggish_log_mel(piece)
        )
