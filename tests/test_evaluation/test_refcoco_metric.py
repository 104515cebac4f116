import csv
import json

import pytest
from mmengine.evaluator import Evaluator

from refvos.errors import InputError
from refvos.evaluation import RefCOCOMetric

from .videos import (
    evaluate_on_two_ranks,
    predict,
    predicted_sample,
    random_video,
    rle,
    square,
)

EMPTY = square(0, 0, 0)
NUM_IMAGES = 5


def evaluate(samples, **kwargs):
    evaluator = Evaluator([RefCOCOMetric(**kwargs)])
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def image(expressions, gt_boxes=None, name='cat'):
    """An image; each expression is mask, gt mask, box (or None)."""
    predictions, tubes = [], {}
    for index, (mask, gt, box) in enumerate(expressions):
        prediction = predict([mask], str(index), object_ids=(str(index),))
        prediction.bboxes = [] if box is None else [box]
        predictions.append(prediction)
        tubes[str(index)] = [rle(gt) if gt.any() else None]
    sample = predicted_sample(predictions, tubes, name, num_frames=1)
    if gt_boxes is not None:
        sample.gt_boxes = gt_boxes
    return sample


def test_numbers_by_hand():
    # Side 6 against itself shifted by two columns: 24 of 48 pixels.
    half = (square(5, 7), square(5, 5), [7.0, 5, 13, 11])
    # Side 10 against side 4 inside: 16 of 100; its box is just as wrong.
    loose = (square(2, 2, 10), square(4, 4, 4), [2.0, 2, 12, 12])
    # The mask misses, the box is right, at x 12 .. 18, y 10 .. 16.
    boxed = (square(0, 0), square(10, 12), [12.0, 10, 18, 16])
    metrics = evaluate([image([half, loose]), image([boxed], name='dog')])
    # Boxes: 24 / 48 = 0.5 counts, 0.16 does not, 1 counts.
    assert metrics == pytest.approx(
        {
            'REC': 100 * 2 / 3,
            'oIoU': 100 * (24 + 16 + 0) / (48 + 100 + 72),
            'mIoU': 100 * (24 / 48 + 16 / 100 + 0) / 3,
        }
    )


@pytest.mark.parametrize(('right', 'rec'), [(9.99, 0), (10.0, 100)])
def test_half_is_enough(right, rec):
    # The gt box is 12 wide and 6 high, the predicted one covers a part.
    gt = square(2, 4) | square(2, 10)
    metrics = evaluate([image([(gt, gt, [4.0, 2, right, 8])])])
    assert metrics['REC'] == rec


def test_annotated_boxes_take_precedence_over_those_of_masks():
    mask = square(2, 2)
    wide = {'0': [[2.0, 2, 26, 8]]}
    box = [2.0, 2, 8, 8]
    assert evaluate([image([(mask, mask, box)])])['REC'] == 100
    assert evaluate([image([(mask, mask, box)], wide)])['REC'] == 0
    # The box of another object does not count.
    other = {'1': wide['0']}
    assert evaluate([image([(mask, mask, box)], other)])['REC'] == 100


def test_several_objects_are_boxed_together():
    sample = image([(square(2, 2), square(2, 2), None)])
    sample.gt_tubes['5'] = [rle(square(12, 20))]
    sample.predictions[0] = predict([square(2, 2)], object_ids=('0', '5'))
    sample.references = [sample.predictions[0].reference]
    sample.predictions[0].bboxes = [[2.0, 2, 26, 18]]
    metrics = evaluate([sample])
    assert metrics['REC'] == 100
    assert metrics['oIoU'] == metrics['mIoU'] == 50
    sample.gt_boxes = {'0': [[0.0, 0, 8, 8]], '5': [[20.0, 12, 30, 20]]}
    sample.predictions[0].bboxes = [[0.0, 0, 30, 10]]
    # 300 of 600 pixels.
    assert evaluate([sample])['REC'] == 100
    sample.predictions[0].bboxes = [[0.0, 0, 30, 9.9]]
    assert evaluate([sample])['REC'] == 0


def test_without_boxes_there_is_no_rec():
    mask = square(2, 2)
    metrics = evaluate([image([(mask, mask, None)])])
    assert metrics == {'oIoU': 100, 'mIoU': 100}


def test_nothing_referred_and_nothing_predicted():
    metrics = evaluate([image([(EMPTY, EMPTY, None)])])
    assert metrics == {'oIoU': 100, 'mIoU': 100}
    metrics = evaluate([image([(square(2, 2), EMPTY, None)])])
    assert metrics == {'oIoU': 0, 'mIoU': 0}


@pytest.mark.parametrize('name', ['table.csv', 'table.json'])
def test_per_expression_table(tmp_path, name):
    path = tmp_path / name
    half = (square(5, 7), square(5, 5), [5.0, 5, 11, 11])
    evaluate([image([half])], per_expression_table=str(path))
    if name.endswith('.json'):
        (row,) = json.loads(path.read_text())
        assert row['objects'] == ['0']
    else:
        with open(path, newline='') as file:
            (row,) = csv.DictReader(file)
    assert (row['video'], row['reference']) == ('cat', '0')
    numbers = ('intersection', 'union', 'IoU', 'box IoU', 'score')
    assert [float(row[name]) for name in numbers] == pytest.approx(
        [24, 48, 50, 100, 0.75]
    )


def bad_samples():
    mask = square(2, 2)
    good = (mask, mask, [2.0, 2, 8, 8])
    unknown = image([good])
    del unknown.gt_tubes
    yield unknown, 'video cat: gt_tubes is None; expected the ground truth'
    video = predicted_sample([predict([mask] * 2)], {'1': [None] * 2})
    yield video, 'video cat: number of frames is 2; expected 1'
    twice = image([good])
    twice.predictions[0].bboxes *= 2
    yield twice, 'predictions.0: number of boxes is 2; expected 1'


@pytest.mark.parametrize('sample, message', bad_samples())
def test_bad_samples_are_named(sample, message):
    with pytest.raises(InputError, match=message):
        evaluate([sample])


def test_table_must_be_csv_or_json():
    with pytest.raises(InputError, match=r"RefCOCOMetric: .*'t\.xlsx'"):
        RefCOCOMetric(per_expression_table='t.xlsx')


def random_image(index):
    """The first frame of a random video, with boxes."""
    sample = random_video(index)
    sample.set_metainfo({'frame_ids': sample.frame_ids[:1]})
    sample.gt_tubes = {'1': sample.gt_tubes['1'][:1]}
    for number, prediction in enumerate(sample.predictions):
        prediction.masks = prediction.masks[:1]
        prediction.bboxes = [[0.0, 0, 20.0 + number, 20]]
    return sample


def test_two_processes_give_the_numbers_of_one(tmp_path):
    one = evaluate(
        [random_image(i) for i in range(NUM_IMAGES)],
        per_expression_table=str(tmp_path / 'one.csv'),
    )
    assert 0 < one['mIoU'] < 100
    two = evaluate_on_two_ranks(
        RefCOCOMetric,
        random_image,
        NUM_IMAGES,
        tmp_path,
        per_expression_table=str(tmp_path / 'two.csv'),
    )
    assert two == [one, one]
    table = (tmp_path / 'two.csv').read_text()
    # 1 + 2 + 3 + 1 + 2 expressions and the header, each once.
    assert len(table.splitlines()) == 1 + 9
    assert table == (tmp_path / 'one.csv').read_text()
