import pytest
from pycocotools import mask as mask_utils

from refvos.errors import InputError
from refvos.evaluation.samples import gt_tube, iou_counts, reference_row

from .videos import predict, predicted_sample, rle, square

EMPTY = square(0, 0, 0)


def test_intersection_and_union_are_counted_in_pixels():
    # Side 6 against itself shifted by two columns: 24 of 48 pixels.
    assert iou_counts(rle(square(5, 7)), rle(square(5, 5))) == (24, 48)
    assert iou_counts(rle(EMPTY), rle(square(5, 5))) == (0, 36)
    assert iou_counts(rle(EMPTY), rle(EMPTY)) == (0, 0)


def test_a_gt_tube_is_the_union_of_the_objects_or_empty():
    tubes = {
        '1': [rle(square(2, 2)), None],
        '2': [rle(square(12, 20)), rle(square(12, 20))],
    }
    sample = predicted_sample([], tubes).to_dict()
    masks = mask_utils.decode(gt_tube(sample, ['1', '2'])).transpose(2, 0, 1)
    union = square(2, 2) | square(12, 20)
    assert (masks == [union, square(12, 20)]).all()
    for nothing in ([], ['9']):
        assert mask_utils.area(gt_tube(sample, nothing)).tolist() == [0, 0]


def test_a_sample_without_ground_truth_is_named():
    sample = predicted_sample([], None).to_dict()
    with pytest.raises(InputError, match='video cat: gt_tubes is None'):
        gt_tube(sample, [])


@pytest.mark.parametrize(
    ('reference', 'kind'),
    [
        ({}, None),
        ({'cue': 'place'}, 'place'),
        ({'annotator': 'annot1'}, 'annot1'),
        ({'cue': 'place', 'annotator': 'annot1'}, 'place'),
    ],
)
def test_a_row_has_the_reference_the_numbers_and_the_score(reference, kind):
    prediction = predict([EMPTY] * 2, '3', **reference)
    sample = predicted_sample([prediction], None).to_dict()
    row = reference_row(sample, prediction, {'J': 50.0})
    assert list(row.items()) == [
        ('video', 'cat'),
        ('reference', '3'),
        ('text', 'the cat'),
        ('kind', kind),
        ('objects', ['1']),
        ('J', 50.0),
        ('score', 0.75),
    ]
