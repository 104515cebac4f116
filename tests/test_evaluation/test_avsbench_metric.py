import csv
import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from refvos.errors import InputError
from refvos.evaluation import AVSBenchMetric
from refvos.structures import SoftMasks

from .videos import (
    SIZE,
    evaluate_on_two_ranks,
    predict,
    predicted_sample,
    rle,
    square,
)

EMPTY = square(0, 0, 0)
AREA = SIZE[0] * SIZE[1]  # 600


def evaluate(samples, **kwargs):
    evaluator = Evaluator([AVSBenchMetric(**kwargs)])
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def soften(probabilities, linear=True):
    """Soft masks of maps (H, W) of probabilities."""
    soft = SoftMasks(SIZE, linear=linear)
    maps = np.clip(np.stack(probabilities), 1e-6, 1 - 1e-6)
    soft.extend(torch.from_numpy(maps).double().logit())
    return soft


def clip(frames, name='cat', labelled=None, linear=True):
    """A clip; each frame is a map of probabilities and the gt mask."""
    maps = [np.asarray(probability, float) for probability, _ in frames]
    prediction = predict([each > 0.5 for each in maps], text=None)
    prediction.soft_masks = soften(maps, linear)
    gt = {'1': [rle(mask) if mask.any() else None for _, mask in frames]}
    sample = predicted_sample([prediction], gt, name, num_frames=len(frames))
    if labelled is not None:
        sample.set_metainfo({'gt_labelled': labelled})
    return sample


def f_measure(right, predicted, gt):
    precision, recall = right / predicted, right / gt
    return 1.3 * precision * recall / (0.3 * precision + recall)


def test_numbers_by_hand():
    # Side 6 against itself shifted by two columns: 24 of 48 pixels.
    half = (0.9 * square(5, 7), square(5, 5))
    # The gt square at 0.4, below 0.5, beside one of 36 at 0.2.
    low = (0.4 * square(2, 2) + 0.2 * square(10, 10), square(2, 2))
    metrics = evaluate([clip([half]), clip([low], 'dog')])
    # No pixel of the second is above 0.5; at 0.3 its soft mask is right.
    assert metrics['mIoU'] == pytest.approx(100 * (24 / 48 + 0) / 2)
    best = (f_measure(24, 36, 36) + 1) / 2
    assert metrics['F'] == pytest.approx(100 * best)
    assert metrics['J&F'] == pytest.approx(
        (metrics['mIoU'] + metrics['F']) / 2
    )


def test_the_threshold_is_one_for_all_frames_of_a_clip():
    """Frames with different best thresholds get the best compromise."""
    right, wrong = square(2, 2), square(10, 10)
    # Perfect from above 0.3 to 0.8, and from above 0.6 to 0.9.
    first = (0.8 * right + 0.3 * wrong, right)
    second = (0.9 * right + 0.6 * wrong, right)
    assert evaluate([clip([first, second])])['F'] == pytest.approx(100)
    # Perfect to 0.4 and from above 0.5: never both.
    third = (0.4 * right, right)
    fourth = (0.9 * right + 0.5 * wrong, right)
    best = (1 + f_measure(36, 72, 36)) / 2
    metrics = evaluate([clip([third, fourth])])
    assert metrics['F'] == pytest.approx(100 * best)
    # Alone, each is perfect: the mean is of clips, not of frames.
    metrics = evaluate([clip([third]), clip([fourth], 'dog')])
    assert metrics['F'] == pytest.approx(100)


def test_thresholds_are_254_steps():
    """At k / 254 or more: 127 is a half, 128 is not."""
    right, wrong = square(2, 2), square(10, 10)
    below, above = 127.5 / 254, 128.5 / 254
    apart = clip([(above * right + below * wrong, right)])
    assert evaluate([apart])['F'] == pytest.approx(100)
    same = clip([(127.7 / 254 * right + below * wrong, right)])
    assert evaluate([same])['F'] == pytest.approx(100 * f_measure(36, 72, 36))


def test_frames_where_nothing_sounds():
    """They score the background and are left out of F."""
    quiet = (0.9 * square(2, 2), EMPTY)
    exact = (0.9 * square(2, 2), square(2, 2))
    metrics = evaluate([clip([quiet, exact])])
    assert metrics['mIoU'] == pytest.approx(100 * ((600 - 36) / 600 + 1) / 2)
    assert metrics['F'] == pytest.approx(100)
    # All background, and predicted so.
    metrics = evaluate([clip([(EMPTY, EMPTY)]), clip([exact], 'dog')])
    assert (metrics['mIoU'], metrics['F']) == (100, pytest.approx(100))


def test_a_miss_is_0():
    metrics = evaluate([clip([(0.9 * square(2, 2), square(12, 20))])])
    assert metrics['mIoU'] == 0
    # The best threshold is 0: the whole frame, of which 36 are right.
    assert metrics['F'] == pytest.approx(100 * f_measure(36, AREA, 36))


def test_unlabelled_frames_are_not_scored():
    exact = (0.9 * square(2, 2), square(2, 2))
    wrong = (0.9 * square(12, 20), EMPTY)
    metrics = evaluate([clip([exact, wrong], labelled=[True, False])])
    assert (metrics['mIoU'], metrics['F']) == (100, pytest.approx(100))
    unknown = clip([wrong], 'dog', labelled=[False])
    assert evaluate([clip([exact]), unknown])['mIoU'] == 100


def test_without_soft_masks_there_is_no_f():
    sample = clip([(0.9 * square(2, 2), square(2, 2))])
    sample.predictions[0].soft_masks = None
    assert evaluate([sample]) == {'mIoU': 100}


@pytest.mark.parametrize('name', ['table.csv', 'table.json'])
def test_per_expression_table(tmp_path, name):
    path = tmp_path / name
    half = (0.9 * square(5, 7), square(5, 5))
    evaluate([clip([half])], per_expression_table=str(path))
    if name.endswith('.json'):
        (row,) = json.loads(path.read_text())
    else:
        with open(path, newline='') as file:
            (row,) = csv.DictReader(file)
    assert (row['video'], row['reference']) == ('cat', '0')
    numbers = [float(row[key]) for key in ('IoU', 'F', 'score', 'frames')]
    assert numbers == pytest.approx([50, 100 * f_measure(24, 36, 36), 0.75, 1])


def bad_samples():
    good = (0.9 * square(2, 2), square(2, 2))
    unknown = clip([good])
    del unknown.gt_tubes
    yield unknown, 'video cat: gt_tubes is None; expected the ground truth'
    yield clip([good], linear=False), "linear is False; .*'linear'"
    short = clip([good, good])
    short.predictions[0].soft_masks.frames.pop()
    yield short, r'frames, height, width is \(1, 20, 30\); .*\(2, 20, 30\)'


@pytest.mark.parametrize('sample, message', bad_samples())
def test_bad_samples_are_named(sample, message):
    with pytest.raises(InputError, match=message):
        evaluate([sample])


NUM_CLIPS = 5


def random_clip(index):
    rng = np.random.default_rng(index)
    frames = [
        (rng.uniform(size=SIZE), square(*rng.integers(0, (12, 22))))
        for _ in range(3)
    ]
    return clip(frames, f'clip{index}')


def test_two_processes_give_the_numbers_of_one(tmp_path):
    one = evaluate([random_clip(i) for i in range(NUM_CLIPS)])
    assert 0 < one['F'] < 100
    two = evaluate_on_two_ranks(
        AVSBenchMetric, random_clip, NUM_CLIPS, tmp_path
    )
    assert two == [one, one]
