import csv
import json
from collections import Counter

import numpy as np
import pytest
from mmdet.registry import METRICS
from mmengine.evaluator import Evaluator
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from refvos.errors import InputError
from refvos.evaluation import A2DMetric
from refvos.structures import Candidate, Reference, ReferencePrediction

from .videos import SIZE, evaluate_on_two_ranks, predicted_sample, rle, square

GT = square(5, 5)
FAR = square(14, 20)
EMPTY = np.zeros(SIZE, bool)
NUM_FRAMES = 5


def predict(id, chosen, *others, object_ids=('1',), cue=None):
    """A prediction from (mask, score) pairs, the chosen one first."""
    candidates = [Candidate([rle(mask)], s) for mask, s in (chosen, *others)]
    reference = Reference(id, 'the cat', object_ids=object_ids, cue=cue)
    mask, score = chosen
    return ReferencePrediction(
        reference, [rle(mask)], score, [score], candidates=candidates
    )


def frame_of(predictions, gt=GT, video_id='cat'):
    tubes = None if gt is None else {'1': [rle(gt)]}
    return predicted_sample(predictions, tubes, video_id, num_frames=1)


def evaluate(samples, **kwargs):
    evaluator = Evaluator([A2DMetric(**kwargs)])
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


@pytest.fixture
def four():
    """Two frames with two expressions each; IoUs 1, 1/2, 5/7 and 0."""
    return [
        frame_of(
            [
                predict('a', (GT, 0.9), (FAR, 0.8)),
                # Two columns beside: 24 of 48 pixels.
                predict('b', (square(5, 7), 0.7), (FAR, 0.2)),
            ]
        ),
        frame_of(
            [
                # One column beside: 30 of 42 pixels.
                predict('c', (square(5, 6), 0.6)),
                # The right one has the lower score.
                predict('d', (FAR, 0.5), (GT, 0.1)),
            ],
            video_id='dog',
        ),
    ]


def test_numbers_by_hand(four):
    metrics = evaluate(four)
    e = 1e-6
    # All candidates by their scores: a hits, miss, b (IoU .5), c (5/7),
    # miss, miss, d's second (1). Precision at 101 recalls, the best to the
    # right of each; 4 objects, so that a hit is a quarter of the recall.
    at_50 = (26 * 1 + 50 * 3 / 4 + 25 * 4 / 7) / 101
    at_55_to_70 = (26 * 1 + 25 * 2 / 4 + 25 * 3 / 7) / 101
    at_75_to_95 = (26 * 1 + 25 * 2 / 7) / 101
    # The best of each only: a hits, b (.5), c (5/7), miss.
    best_at_50 = 76 * 1 / 101
    best_at_55_to_70 = (26 * 1 + 25 * 2 / 3) / 101
    best_at_75_to_95 = 26 * 1 / 101
    assert metrics == pytest.approx(
        {
            # An IoU of just 0.5 is not above it.
            'P@0.5': 50,
            'P@0.6': 50,
            'P@0.7': 50,
            'P@0.8': 25,
            'P@0.9': 25,
            'oIoU': 100 * (36 + 24 + 30 + 0) / (36 + 48 + 42 + 72),
            'mIoU': 25
            * (
                1
                + (24 + e) / (48 + e)
                + (30 + e) / (42 + e)
                + (0 + e) / (72 + e)
            ),
            'mAP': 10 * (at_50 + 4 * at_55_to_70 + 5 * at_75_to_95),
            'mAP_best_query': 10
            * (best_at_50 + 4 * best_at_55_to_70 + 5 * best_at_75_to_95),
        },
        abs=1e-9,
    )


@pytest.mark.parametrize('tenths', [5, 6, 7, 8, 9])
def test_an_iou_of_just_k_is_not_above_k(tenths):
    """Ten pixels are the object; this many of them are predicted."""
    gt, guess = EMPTY.copy(), EMPTY.copy()
    gt[0, :10] = True
    guess[0, :tenths] = True
    metrics = evaluate([frame_of([predict('a', (guess, 0.5))], gt)])
    assert metrics['oIoU'] == 10 * tenths
    for k in range(5, 10):
        assert metrics[f'P@0.{k}'] == (100 if k < tenths else 0)


def test_nothing_referred_and_nothing_predicted():
    right = predict('a', (EMPTY, 0.5), object_ids=())
    wrong = predict('b', (GT, 0.5), object_ids=('9',))
    metrics = evaluate([frame_of([right, wrong])])
    assert metrics['P@0.9'] == 50
    assert metrics['oIoU'] == 0
    assert metrics['mIoU'] == pytest.approx(50, abs=1e-4)


def test_masks_of_several_objects_are_one():
    sample = frame_of([predict('a', (GT | FAR, 0.5), object_ids=('1', '2'))])
    sample.gt_tubes['2'] = [rle(FAR)]
    metrics = evaluate([sample])
    assert metrics == pytest.approx(dict.fromkeys(metrics, 100))


def test_the_prefix_goes_before_every_name(four):
    metrics = evaluate(four, prefix='jhmdb')
    assert set(metrics) == {
        *(f'jhmdb/P@0.{k}' for k in range(5, 10)),
        'jhmdb/oIoU',
        'jhmdb/mIoU',
        'jhmdb/mAP',
        'jhmdb/mAP_best_query',
    }


def coco_map(gts, detections):
    """COCO's own mAP of one object an image, by its evaluation."""
    gt = COCO()
    gt.dataset = {
        'images': [
            dict(zip(('id', 'height', 'width'), (i, *SIZE)))
            for i in range(1, 1 + len(gts))
        ],
        'categories': [{'id': 1}],
        'annotations': [
            {
                **dict(id=i, image_id=i, category_id=1, iscrowd=0),
                **dict(area=int(mask.sum()), segmentation=rle(mask)),
            }
            for i, mask in enumerate(gts, 1)
        ],
    }
    gt.createIndex()
    found = gt.loadRes(
        [
            dict(image_id=i, category_id=1, segmentation=rle(m), score=s)
            for i, mask_and_scores in enumerate(detections, 1)
            for m, s in mask_and_scores
        ]
    )
    evaluation = COCOeval(gt, found, 'segm')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return 100 * evaluation.stats[0]


def test_both_precisions_are_those_of_coco():
    rng = np.random.default_rng(3)
    answers = [
        sorted(
            (
                (square(*rng.integers((3, 3), (8, 8))), float(rng.random()))
                for _ in range(3)
            ),
            key=lambda pair: -pair[1],
        )
        for _ in range(12)
    ]
    metrics = evaluate(
        [
            frame_of([predict(str(index), *answer)], video_id=f'v{index}')
            for index, answer in enumerate(answers)
        ]
    )
    gts = [GT] * len(answers)
    best = [answer[:1] for answer in answers]
    assert metrics['mAP'] == pytest.approx(coco_map(gts, answers))
    assert metrics['mAP_best_query'] == pytest.approx(coco_map(gts, best))
    # Both are of the same masks, and still differ.
    assert abs(metrics['mAP'] - metrics['mAP_best_query']) > 1


def test_the_best_query_alone_earns_nothing_by_the_others():
    """The object is found by the second query only."""
    metrics = evaluate([frame_of([predict('a', (FAR, 0.9), (GT, 0.8))])])
    assert metrics['mAP'] == pytest.approx(50)
    assert metrics['mAP_best_query'] == 0
    metrics = evaluate([frame_of([predict('a', (GT, 0.9), (FAR, 0.8))])])
    assert metrics['mAP'] == metrics['mAP_best_query'] == pytest.approx(100)


@pytest.mark.parametrize('name', ['table.csv', 'table.json'])
def test_per_expression_table(tmp_path, four, name):
    path = tmp_path / 'new' / name
    evaluate(four, per_expression_table=str(path))
    if name.endswith('.json'):
        rows = json.loads(path.read_text(encoding='utf-8'))
        assert rows[1]['objects'] == ['1']
    else:
        with open(path, encoding='utf-8', newline='') as file:
            rows = list(csv.DictReader(file))
    assert [row['reference'] for row in rows] == list('abcd')
    assert [row['video'] for row in rows] == ['cat', 'cat', 'dog', 'dog']
    assert {row['frame'] for row in rows} == {'00000'}
    assert [int(row['intersection']) for row in rows] == [36, 24, 30, 0]
    assert [int(row['union']) for row in rows] == [36, 48, 42, 72]
    assert [float(row['IoU']) for row in rows] == pytest.approx(
        [100, 50, 500 / 7, 0]
    )
    assert [float(row['score']) for row in rows] == [0.9, 0.7, 0.6, 0.5]


def bad_samples():
    good = predict('0', (GT, 0.5))
    yield frame_of([good], None), r'video cat: gt_tubes is None'
    bare = predict('0', (GT, 0.5))
    bare.candidates = []
    yield (
        frame_of([bare]),
        r'predictions.0.candidates is \[\]; expected .*candidates=-1',
    )
    small = predict('0', (GT, 0.5), (GT, 0.4))
    small.candidates[1].masks = [rle(np.zeros((10, 30)))]
    yield (
        frame_of([small]),
        r'candidates.1: sizes of the masks is \[\[10, 30\]\]; expected '
        r'\[\[20, 30\]\]',
    )
    two = frame_of([good])
    two.set_metainfo({'frame_ids': ['1', '2']})
    yield two, r"frames is \['1', '2'\]; expected only the annotated one"


@pytest.mark.parametrize('sample, message', bad_samples())
def test_bad_samples_are_named(sample, message):
    with pytest.raises(InputError, match=message):
        evaluate([sample])


def test_table_must_be_csv_or_json():
    with pytest.raises(InputError, match=r"A2DMetric: .*'t\.xlsx'; expected"):
        METRICS.build({'type': 'A2DMetric', 'per_expression_table': 't.xlsx'})


def random_frame(index):
    """Frame number ``index``, with 1 + index % 3 expressions."""
    rng = np.random.default_rng(index)

    def guess():
        return square(*rng.integers((3, 3), (8, 8))), float(rng.random())

    predictions = [
        predict(str(i), *sorted([guess(), guess()], key=lambda x: -x[1]))
        for i in range(1 + index % 3)
    ]
    return frame_of(predictions, video_id=f'video{index}')


def test_two_processes_give_the_numbers_of_one(tmp_path):
    one = evaluate([random_frame(i) for i in range(NUM_FRAMES)])
    assert 0 < one['mAP'] < 100 and 0 < one['mIoU'] < 100
    two = evaluate_on_two_ranks(
        A2DMetric,
        random_frame,
        NUM_FRAMES,
        tmp_path,
        per_expression_table=str(tmp_path / 'two.csv'),
    )
    assert two == [one, one]
    with open(tmp_path / 'two.csv', encoding='utf-8', newline='') as file:
        counts = Counter(row['video'] for row in csv.DictReader(file))
    assert counts == {f'video{i}': 1 + i % 3 for i in range(NUM_FRAMES)}
