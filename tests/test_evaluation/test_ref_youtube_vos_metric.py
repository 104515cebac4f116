"""J&F where there is ground truth; a submission where there is none."""

import zipfile

import pytest
from mmengine.evaluator import Evaluator

from refvos.errors import InputError
from refvos.evaluation import JFMetric, RefYouTubeVOSMetric

from .videos import (
    evaluate_on_two_ranks,
    predict,
    predicted_sample,
    random_video,
    rle,
    square,
)

NUM_VIDEOS = 3


def evaluate(metric, samples):
    evaluator = Evaluator([metric])
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def hidden_video(index):
    sample = random_video(index)
    del sample.gt_tubes
    return sample


def build(tmp_path, **kwargs):
    return RefYouTubeVOSMetric(str(tmp_path / 'out'), **kwargs)


def test_with_truth_the_numbers_are_those_of_j_and_f(tmp_path):
    right, wrong = square(2, 2), square(12, 20)
    gt = {'1': [rle(right)] * 2}
    samples = [
        predicted_sample([predict([mask] * 2, id)], gt, video_id=id)
        for id, mask in (
            ('a', right),
            ('b', right),
            ('c', right),
            ('d', wrong),
        )
    ]
    table = tmp_path / 'table.csv'
    metric = build(tmp_path, per_expression_table=str(table))
    assert evaluate(metric, samples) == {'J&F': 75, 'J': 75, 'F': 75}
    # Nothing is written but the table, and the metric can be used again.
    assert [path.name for path in tmp_path.iterdir()] == ['table.csv']
    assert len(table.read_text().splitlines()) == 1 + 4
    assert evaluate(metric, samples[3:]) == {'J&F': 0, 'J': 0, 'F': 0}


def test_without_truth_a_submission_is_written(tmp_path):
    masks = [square(2, 2), square(12, 20)]
    samples = [
        predicted_sample([predict(masks)], None, video_id=id) for id in 'ab'
    ]
    assert evaluate(build(tmp_path), samples) == {'submission/masks': 4}
    with zipfile.ZipFile(tmp_path / 'out.zip') as archive:
        assert sorted(archive.namelist()) == [
            f'Annotations/{video}/0/{frame}.png'
            for video in 'ab'
            for frame in ('00000', '00005')
        ]


@pytest.mark.parametrize('first', [True, False])
def test_videos_with_and_without_truth(tmp_path, first):
    """Half of a test set is not scored as if it were all of it."""
    samples = [random_video(0), hidden_video(1)]
    if not first:
        samples.reverse()
    with pytest.raises(InputError, match=r'video video.: gt_tubes is .*befor'):
        evaluate(build(tmp_path), samples)


def test_a_table_needs_the_truth(tmp_path):
    metric = build(tmp_path, per_expression_table=str(tmp_path / 't.csv'))
    with pytest.raises(InputError, match=r'per_expression_table \(--out\) is'):
        evaluate(metric, [hidden_video(0)])


@pytest.mark.parametrize('draw', [random_video, hidden_video])
def test_two_processes_give_the_numbers_of_one(tmp_path, draw):
    one = evaluate(build(tmp_path), [draw(i) for i in range(NUM_VIDEOS)])
    if draw is random_video:
        samples = [draw(i) for i in range(NUM_VIDEOS)]
        assert one == evaluate(JFMetric(), samples)
        assert 0 < one['J'] < 100
    two = evaluate_on_two_ranks(
        RefYouTubeVOSMetric,
        draw,
        NUM_VIDEOS,
        tmp_path,
        outfile_prefix=str(tmp_path / 'two'),
    )
    assert two == [one, one]
