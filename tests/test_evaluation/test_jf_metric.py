import csv
import json
import math

import cv2
import numpy as np
import pytest
from mmdet.registry import METRICS
from mmengine.evaluator import Evaluator

from refvos.errors import InputError
from refvos.evaluation import JFMetric, jf_metric
from refvos.evaluation.jf_metric import score_tubes

from .videos import (
    evaluate_on_two_ranks,
    predict,
    predicted_sample,
    random_video,
    rle,
    square,
)

NUM_VIDEOS = 5
EMPTY = square(0, 0, 0)


def evaluate(samples, **kwargs):
    evaluator = Evaluator([JFMetric(**kwargs)])
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_numbers_by_hand():
    # 6x6 against itself, and shifted by two columns: J 1 and 24/48, F 1 and
    # 14/24 (worked out in test_region_boundary.py).
    prediction = predict([square(5, 5), square(5, 7)], cue='place')
    gt = {'1': [rle(square(5, 5))] * 2, '2': [rle(EMPTY)] * 2}
    # The second object is never visible nor predicted: 1 and 1.
    nothing = predict([EMPTY] * 2, '1', object_ids=('2',), cue='motion')
    metrics = evaluate([predicted_sample([prediction, nothing], gt)])
    j, f = (1 + 24 / 48) / 2, (1 + 14 / 24) / 2
    assert metrics == pytest.approx(
        {
            'J&F': 100 * ((j + f) / 2 + 1) / 2,
            'J': 100 * (j + 1) / 2,
            'F': 100 * (f + 1) / 2,
            'J&F/motion': 100,
            'J&F/place': 100 * (j + f) / 2,
        }
    )


def test_ground_truth_is_the_union_of_the_objects_referred_to():
    gt = {
        '1': [rle(square(2, 2)), None],
        '2': [rle(square(12, 20)), rle(square(12, 20))],
        '3': [rle(square(2, 20)), None],
    }
    both = square(2, 2) | square(12, 20)
    prediction = predict([both, square(12, 20)], object_ids=('1', '2'))
    metrics = evaluate([predicted_sample([prediction], gt)])
    assert metrics == {'J&F': 100, 'J': 100, 'F': 100}


@pytest.mark.parametrize('object_ids', [(), ('9',)])
def test_ground_truth_is_background_where_nothing_is_referred(object_ids):
    gt = {'1': [rle(square(2, 2))] * 2}
    # An empty mask is right in one of two frames.
    prediction = predict([square(2, 2), EMPTY], object_ids=object_ids)
    metrics = evaluate([predicted_sample([prediction], gt)])
    assert metrics == {'J&F': 50, 'J': 50, 'F': 50}


def test_expressions_have_equal_weight_whatever_their_video():
    gt = {'1': [rle(square(2, 2))] * 2}
    right = [predict([square(2, 2)] * 2, str(i)) for i in range(3)]
    wrong = predict([square(12, 20)] * 2)
    samples = [
        predicted_sample(right, gt),
        predicted_sample([wrong], gt),
    ]
    assert evaluate(samples)['J&F'] == 75


@pytest.mark.parametrize('name', ['table.csv', 'table.json'])
def test_per_expression_table(tmp_path, name):
    path = tmp_path / 'new' / name
    gt = {'1': [rle(square(2, 2))] * 2, '2': [None, None]}
    odd = predict([square(12, 20)] * 2, '1', object_ids=('1', '2'))
    right = predict([square(2, 2)] * 2, '0', text='猫, "the" cat', cue='place')
    evaluate(
        [predicted_sample([right, odd], gt)], per_expression_table=str(path)
    )
    if name.endswith('.json'):
        first, second = json.loads(path.read_text(encoding='utf-8'))
        assert second['objects'] == ['1', '2']
        assert (second['J&F'], second['kind']) == (0, None)
    else:
        with open(path, encoding='utf-8', newline='') as file:
            first, second = csv.DictReader(file)
        assert second['objects'] == '1 2'
        assert (float(second['J&F']), second['kind']) == (0, '')
    assert (first['video'], first['reference']) == ('cat', '0')
    assert (first['text'], first['kind']) == ('猫, "the" cat', 'place')
    numbers = [float(first[k]) for k in ('J', 'F', 'J&F', 'score', 'frames')]
    assert numbers == [100, 100, 100, 0.75, 2]
    assert [p.name for p in path.parent.iterdir()] == [name]


def bad_samples():
    mask = [square(2, 2)] * 2
    gt = {'1': [rle(square(2, 2))] * 2}
    small = rle(np.zeros((10, 30)))
    yield (
        predicted_sample([predict(mask)], None),
        r'video cat: gt_tubes is None; .*RefYouTubeVOSSubmission',
    )
    yield (
        predicted_sample([predict(mask[:1])], gt),
        r'predictions.0: number of masks is 1; expected 2',
    )
    prediction = predict(mask)
    prediction.masks[1] = small
    yield (
        predicted_sample([prediction], gt),
        r'predictions.0: size of the mask of frame 00005 is \[10, 30\]; '
        r'expected \[20, 30\]',
    )
    yield (
        predicted_sample([predict(mask)], {'1': [rle(square(2, 2)), small]}),
        r'gt_tubes.1: size of the mask of frame 00005 is \[10, 30\]',
    )
    yield (
        predicted_sample([predict(mask)], {'1': [rle(square(2, 2))]}),
        r'gt_tubes.1: number of masks is 1; expected 2',
    )
    missing = predicted_sample([predict(mask), predict(mask, '1')], gt)
    missing.predictions = missing.predictions[:1]
    yield missing, r'number of predictions is 1; expected 2'


@pytest.mark.parametrize('sample, message', bad_samples())
def test_bad_samples_are_named(sample, message):
    with pytest.raises(InputError, match=message):
        evaluate([sample])


def test_table_must_be_csv_or_json():
    with pytest.raises(InputError, match=r"'t\.xlsx'; expected .* \.csv"):
        METRICS.build({'type': 'JFMetric', 'per_expression_table': 't.xlsx'})


def test_two_processes_give_the_numbers_of_one(tmp_path):
    one = evaluate(
        [random_video(i) for i in range(NUM_VIDEOS)],
        per_expression_table=str(tmp_path / 'one.csv'),
    )
    assert 0 < one['J&F'] < 100
    two = evaluate_on_two_ranks(
        JFMetric,
        random_video,
        NUM_VIDEOS,
        tmp_path,
        per_expression_table=str(tmp_path / 'two.csv'),
    )
    assert two == [one, one]
    # 1 + 2 + 3 + 1 + 2 expressions and the header, each once.
    table = (tmp_path / 'two.csv').read_text()
    assert len(table.splitlines()) == 1 + 9
    assert table == (tmp_path / 'one.csv').read_text()


def test_workers_give_the_scores_of_the_process_itself(tmp_path):
    videos = [random_video(index) for index in range(12)]
    plain = evaluate(videos, per_expression_table=str(tmp_path / 'a.json'))
    apart = evaluate(
        videos,
        num_workers=1,
        per_expression_table=str(tmp_path / 'b.json'),
    )
    assert apart == plain
    tables = [json.loads((tmp_path / f'{x}.json').read_text()) for x in 'ab']
    assert tables[0] == tables[1]
    assert len(tables[0]) > 12


def test_bad_videos_are_refused_before_they_reach_a_worker():
    metric = JFMetric(num_workers=1)
    sample = predicted_sample([predict([EMPTY] * 2)], None)
    with pytest.raises(InputError, match='gt_tubes is None'):
        metric.process(None, [sample.to_dict()])
    assert metric._pool is None


def plain_f(pred, gt):
    """The usual computation: whole frames, dilated by a disk."""
    radius = math.ceil(0.008 * math.hypot(*gt.shape))
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    boundaries = []
    for mask in (pred, gt):
        near = np.pad(mask, ((0, 1), (0, 1)), mode='edge')
        boundaries.append(
            (mask ^ near[:-1, 1:])
            | (mask ^ near[1:, :-1])
            | (mask ^ near[1:, 1:])
        )
    hits = [
        (a & (cv2.dilate(b.astype(np.uint8), disk) > 0)).sum() / a.sum()
        for a, b in (boundaries, boundaries[::-1])
    ]
    return 2 * hits[0] * hits[1] / sum(hits) if sum(hits) else 0.0


@pytest.mark.parametrize('size', [(90, 160), (360, 640)])
def test_scores_are_those_of_whole_frames(size):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]

    def draw():
        cy, cx, r = rng.uniform((0, 0, 9), (*size, size[0] / 3))
        return ((y - cy) / r) ** 2 + ((x - cx) / r) ** 2 < rng.uniform(0.5, 1)

    gt_tubes = {('1',): [draw() for _ in range(4)]}
    gt_tubes['2',] = [draw() for _ in range(4)]
    asked = [
        (key, [draw() for _ in range(4)]) for key in gt_tubes for _ in 'ab'
    ]
    found = score_tubes(
        [(key, [rle(m) for m in masks]) for key, masks in asked],
        {key: [rle(m) for m in masks] for key, masks in gt_tubes.items()},
    )
    for (key, masks), (j, f) in zip(asked, found, strict=True):
        pairs = list(zip(masks, gt_tubes[key], strict=True))
        ious = [(p & g).sum() / (p | g).sum() for p, g in pairs]
        assert j == pytest.approx(np.mean(ious), abs=1e-9)
        fs = [plain_f(p, g) for p, g in pairs]
        assert f == pytest.approx(np.mean(fs), abs=1e-9)


def test_the_outline_of_a_gt_mask_is_made_once(monkeypatch):
    made = []
    original = jf_metric.outline_of
    monkeypatch.setattr(
        jf_metric, 'outline_of', lambda m: made.append(1) or original(m)
    )
    tube = [rle(square(2, 2)), rle(square(3, 3))]
    score_tubes([(('1',), tube)] * 3, {('1',): tube})
    # Two frames of three predictions and one gt tube.
    assert len(made) == 2 * (3 + 1)
