"""Soft masks: 256 levels of log-odds."""

import numpy as np
import torch

from refvos.structures import SoftMasks
from refvos.structures.soft_masks import quantize


def levels_of(*probabilities):
    return quantize(torch.tensor(probabilities).double().logit()).tolist()


def test_level_0_is_at_most_a_tenth():
    assert levels_of(0.0, 0.05, 0.0999, 0.1001, 0.11) == [0, 0, 0, 1, 2]
    # (ln 9 + 0) / (ln 9 + 16) * 255 = 30.79, rounded up.
    assert levels_of(0.5, 1.0) == [31, 255]


def test_the_surer_of_two_stays_the_surer():
    """Near 1, where steps of the probability would all be 255."""
    assert levels_of(0.998, 0.999, 0.9995) == sorted(
        set(levels_of(0.998, 0.999, 0.9995))
    )
    odds = torch.linspace(-2.19, 16, 200)
    levels = quantize(odds).int()
    assert (levels[1:] > levels[:-1]).all()


def test_frames_come_back():
    odds = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    soft = SoftMasks((5, 7))
    soft.extend(odds[:2])
    soft.extend(odds[2:])
    assert len(soft) == 3
    for frame in range(3):
        assert np.array_equal(soft.levels(frame), quantize(odds[frame]))


def test_linear_levels_are_steps_of_the_probability():
    soft = SoftMasks((1, 6), linear=True)
    given = torch.tensor([0.0, 0.9, 1.1, 127.1, 253.9, 254.0]).double()
    soft.extend((given / 254).logit()[None, None])
    assert soft.levels(0).tolist() == [[0, 0, 1, 127, 253, 254]]


def test_background_takes_no_room():
    odds = torch.full((1, 480, 854), -5.0)
    odds[:, :48, :85] = torch.linspace(0, 9, 85)
    soft = SoftMasks((480, 854))
    soft.extend(odds)
    assert len(soft.frames[0]) < 480 * 854 / 100
