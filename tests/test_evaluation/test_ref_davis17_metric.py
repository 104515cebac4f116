"""The two protocols of Ref-DAVIS17 on hand-made videos."""

import itertools
import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from refvos.datasets.ref_davis17_constants import ANNOTATORS
from refvos.errors import InputError
from refvos.evaluation import RefDAVIS17Metric, boundary_f, region_similarity
from refvos.structures import SoftMasks

from .videos import (
    SIZE,
    evaluate_on_two_ranks,
    predict,
    predicted_sample,
    rle,
    square,
)

EMPTY = np.zeros(SIZE, dtype=bool)
A, B = square(2, 2), square(12, 20)
NUM_VIDEOS = 3


def answer(masks, object_id='1', annotator='annot1'):
    """A prediction from one probability map per frame, (H, W)."""
    place = 4 * (int(object_id) - 1) + ANNOTATORS.index(annotator)
    prediction = predict(
        [np.asarray(mask) > 0.5 for mask in masks],
        str(place),
        annotator=annotator,
        object_ids=(object_id,),
    )
    prediction.soft_masks = SoftMasks(SIZE)
    stack = torch.tensor(np.stack(masks).astype(np.float32))
    prediction.soft_masks.extend(stack.logit())
    return prediction


def tubes(**objects):
    """Object id (``_1``) -> one mask per frame."""
    return {
        name[1:]: [rle(m) if m.any() else None for m in masks]
        for name, masks in objects.items()
    }


def evaluate(*samples, **kwargs):
    evaluator = Evaluator([RefDAVIS17Metric(**kwargs)])
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def jf(metrics, protocol):
    return [metrics[f'{protocol}/{name}'] for name in ('J&F', 'J', 'F')]


BOTH = tubes(_1=[A] * 2, _2=[B] * 2)


def test_exchanged_objects_cost_nothing_published_and_all_referring():
    swapped = [answer([B] * 2, '1'), answer([A] * 2, '2')]
    metrics = evaluate(predicted_sample(swapped, BOTH))
    assert jf(metrics, 'published') == [100, 100, 100]
    assert jf(metrics, 'referring') == [0, 0, 0]
    assert len(metrics) == 14


def test_the_mean_over_annotators():
    found = []
    for annotator in ANNOTATORS:
        wrong = annotator == 'annot2'
        found.append(answer([B if wrong else A] * 2, '1', annotator))
        found.append(answer([A if wrong else B] * 2, '2', annotator))
    metrics = evaluate(predicted_sample(found, BOTH))
    assert jf(metrics, 'referring') == [75, 75, 75]
    assert jf(metrics, 'published') == [100, 100, 100]


def test_annotators_have_equal_weight_whatever_their_expressions():
    """annot1: one object of two is right; annot2: the only one is right."""
    found = [
        *(answer([A] * 2, '1'), answer([EMPTY] * 2, '2')),
        answer([A] * 2, '1', 'annot2'),
    ]
    metrics = evaluate(predicted_sample(found, BOTH), protocols=['referring'])
    assert jf(metrics, 'referring') == [75, 75, 75]
    assert len(metrics) == 7


def test_the_more_confident_prediction_takes_the_pixel():
    # Both predict B, the second with more confidence: 0.9991 and 0.9995 are
    # far above 0.5 and at most one level of 8 bits apart.
    greedy = 0.9991 * (A | B)
    metrics = evaluate(
        predicted_sample(
            [answer([greedy] * 2, '1'), answer([0.9995 * B] * 2, '2')], BOTH
        )
    )
    assert jf(metrics, 'referring') == [100, 100, 100]
    # Now the first is more confident: it gets both squares.
    metrics = evaluate(
        predicted_sample(
            [answer([greedy] * 2, '1'), answer([0.99 * B] * 2, '2')], BOTH
        )
    )
    # J 36/72 and 0. F: precision 0.5 and recall 1, 2 * 0.5 / 1.5; and 0.
    expected = pytest.approx([(25 + 100 / 3) / 2, 25, 100 / 3])
    assert jf(metrics, 'referring') == expected
    assert jf(metrics, 'published') == expected


@pytest.mark.parametrize(('probability', 'score'), [(0.11, 100), (0.09, 0)])
def test_the_background_is_a_tenth(probability, score):
    metrics = evaluate(
        predicted_sample([answer([probability * A] * 2)], tubes(_1=[A] * 2))
    )
    assert jf(metrics, 'referring') == [score] * 3
    assert jf(metrics, 'published') == [score] * 3


def test_void_is_neither_object_nor_background():
    gt = tubes(_1=[A] * 2, _255=[B] * 2)
    metrics = evaluate(predicted_sample([answer([A | B] * 2)], gt))
    for protocol in ('published', 'referring'):
        assert jf(metrics, protocol) == [100, 100, 100]
    # Without void half of the same prediction is wrong.
    metrics = evaluate(
        predicted_sample([answer([A | B] * 2)], tubes(_1=[A] * 2))
    )
    assert metrics['referring/J'] == metrics['published/J'] == 50


def test_published_scores_objects_without_an_expression():
    """Those of the first frame, as DAVIS counts; 4 appears later."""
    c = square(2, 20)
    gt = tubes(_1=[A, A], _3=[c, c], _4=[EMPTY, B])
    metrics = evaluate(predicted_sample([answer([A] * 2)], gt))
    # 1 is right; 2 is never visible nor predicted; 3 is missed.
    assert jf(metrics, 'published') == pytest.approx([200 / 3] * 3)
    assert jf(metrics, 'referring') == [100, 100, 100]


def test_an_empty_prediction_of_an_invisible_object_is_right():
    found = [answer([A] * 2, '1'), answer([B, EMPTY], '2')]
    metrics = evaluate(predicted_sample(found, tubes(_1=[A] * 2)))
    assert jf(metrics, 'referring') == [75, 75, 75]
    # There it is no object: the first prediction is paired with object 1.
    assert jf(metrics, 'published') == [100, 100, 100]


@pytest.mark.parametrize(('order', 'score'), [('1 2', 0), ('2 1', 50)])
def test_empty_predictions_are_proposals_before_the_last_with_a_pixel(
    order, score
):
    """DAVIS numbers proposals: 0 1 has one, 0 2 has two, one of them empty.

    The object is visible only in the first frame; an empty proposal is right
    in the second.
    """
    wrong, empty = order.split()
    found = [answer([B] * 2, wrong), answer([EMPTY] * 2, empty)]
    metrics = evaluate(predicted_sample(found, tubes(_1=[A, EMPTY])))
    assert jf(metrics, 'published') == [score] * 3


def test_missing_proposals_are_empty():
    gt = tubes(_1=[A, A], _2=[B, EMPTY])
    metrics = evaluate(predicted_sample([answer([A] * 2)], gt))
    assert jf(metrics, 'published') == [75, 75, 75]


def test_recall_and_decay():
    # J of the frames is 1, 1, 0, 0; quarters share their border frames:
    # frames 0 to 1 and 2 to 3.
    sample = predicted_sample(
        [answer([A, A, EMPTY, EMPTY])], tubes(_1=[A] * 4), num_frames=4
    )
    metrics = evaluate(sample)
    for protocol in ('published', 'referring'):
        for name in 'JF':
            numbers = [
                metrics[f'{protocol}/{name}{part}']
                for part in ('', '_recall', '_decay')
            ]
            assert numbers == [50, 50, 100]


def test_table(tmp_path):
    swapped = [answer([B] * 2, '1'), answer([A] * 2, '2')]
    file = tmp_path / 'table.json'
    evaluate(
        predicted_sample(swapped, BOTH),
        per_expression_table=str(file),
        prefix='x',
    )
    rows = json.loads(file.read_text())
    kept = ('protocol', 'reference', 'objects', 'J&F', 'annotator', 'video')
    assert [tuple(row[key] for key in kept) for row in rows] == [
        ('published', '4', ['1'], 100, 'annot1', 'cat'),
        ('published', '0', ['2'], 100, 'annot1', 'cat'),
        ('referring', '0', ['1'], 0, 'annot1', 'cat'),
        ('referring', '4', ['2'], 0, 'annot1', 'cat'),
    ]


def random_video(index, num_frames=3, count=3):
    """Overlapping soft squares, void, an object that appears and vanishes."""
    rng = np.random.default_rng(index)

    def place():
        return square(*rng.integers(0, (12, 22)))

    ids = []
    for _ in range(num_frames):
        frame = np.zeros(SIZE, np.uint8)
        for value in (1, 2, 3, 255):
            frame[place()] = value
        ids.append(frame)
    found = [
        answer(
            [rng.uniform(0.0, 1.0) * place() for _ in range(num_frames)],
            str(object_id + 1),
            annotator,
        )
        for object_id in range(count)
        for annotator in ANNOTATORS
    ]
    gt = {
        str(value): [
            rle(frame == value) if (frame == value).any() else None
            for frame in ids
        ]
        for value in (1, 2, 3, 255)
    }
    return predicted_sample(found, gt, f'video{index}', num_frames), ids


def plain_scores(sample, ids, annotator):
    """J&F of all pairs (P, G) by an independent implementation."""
    found = [
        p for p in sample.predictions if p.reference.annotator == annotator
    ]
    soft = np.stack(
        [[p.soft_masks.levels(t) for t in range(len(ids))] for p in found]
    )
    labels = np.where(soft.max(0) > 0, soft.argmax(0) + 1, 0)
    valid = np.stack(ids) != 255
    scores = np.zeros((3, 3))
    for p, g in itertools.product(range(3), range(3)):
        one = (labels == p + 1) & valid
        two = (np.stack(ids) == g + 1) & valid
        j, f = region_similarity(one, two), boundary_f(one, two)
        scores[p, g] = (j.mean() + f.mean()) / 2
    return scores


def test_against_all_permutations():
    videos = [random_video(i) for i in range(NUM_VIDEOS)]
    metrics = evaluate(*(sample for sample, _ in videos))
    published, referring = [], []
    for annotator in ANNOTATORS:
        best, asked = [], []
        for sample, ids in videos:
            scores = plain_scores(sample, ids, annotator)
            best.append(
                max(
                    np.mean([scores[p, g] for g, p in enumerate(order)])
                    for order in itertools.permutations(range(3))
                )
            )
            asked.append(scores.trace() / 3)
        published.append(np.mean(best))
        referring.append(np.mean(asked))
    assert metrics['published/J&F'] == pytest.approx(100 * np.mean(published))
    assert metrics['referring/J&F'] == pytest.approx(100 * np.mean(referring))
    assert metrics['published/J&F'] > metrics['referring/J&F'] > 0


def bad_samples():
    hard = predict([A] * 2, annotator='annot1')
    yield (
        predicted_sample([hard], BOTH),
        r'soft_masks is None; .*test_cfg.soft_masks',
    )
    yield (
        predicted_sample([answer([A] * 2)], None),
        r'gt_tubes is None; expected',
    )
    odd = predict([A] * 2, annotator='place')
    yield (
        predicted_sample([odd], BOTH),
        r"references.0.annotator is 'place'; expected",
    )
    short = answer([A] * 2)
    short.soft_masks.frames.pop()
    yield (
        predicted_sample([short], BOTH),
        r'frames and size is \(1, \(20, 30\)\)',
    )


@pytest.mark.parametrize('sample, message', bad_samples())
def test_bad_samples_are_named(sample, message):
    with pytest.raises(InputError, match=message):
        evaluate(sample)


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match=r"protocols is 'both'; expected"):
        RefDAVIS17Metric(protocols=['both'])
    with pytest.raises(InputError, match=r'RefDAVIS17Metric: per_expression'):
        RefDAVIS17Metric(per_expression_table='t.xlsx')


def random_sample(index):
    return random_video(index)[0]


def test_two_processes_give_the_numbers_of_one(tmp_path):
    one = evaluate(*map(random_sample, range(NUM_VIDEOS)))
    two = evaluate_on_two_ranks(
        RefDAVIS17Metric, random_sample, NUM_VIDEOS, tmp_path
    )
    assert two == [one, one]
