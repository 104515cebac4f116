"""Null predictions are empty masks to metrics and submissions.

Their boxes and candidates are those of the model, which takes the object for
the one referred to, but not with enough confidence.
"""

import zipfile

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from PIL import Image

from refvos.evaluation import (
    A2DMetric,
    AVSBenchMetric,
    JFMetric,
    MeViSSubmission,
    RefCOCOMetric,
    RefDAVIS17Metric,
    RefYouTubeVOSSubmission,
)
from refvos.structures import Candidate, SoftMasks

from .videos import SIZE, predict, predicted_sample, rle, square

EMPTY = square(0, 0, 0)
A, B = square(2, 2), square(12, 20)
BOX_OF_A = [2.0, 2, 8, 8]


def null(reference_id='0', num_frames=2, linear=False, **reference):
    """A null prediction, as a model makes it that takes A for the object."""
    prediction = predict([EMPTY] * num_frames, reference_id, **reference)
    prediction.is_null = True
    prediction.bboxes = [BOX_OF_A] * num_frames
    prediction.candidates = [Candidate([rle(A)] * num_frames, 0.2)]
    prediction.soft_masks = soften([EMPTY] * num_frames, linear)
    return prediction


def soften(masks, linear=False):
    soft = SoftMasks(SIZE, linear=linear)
    soft.extend(200 * torch.from_numpy(np.stack(masks)).float() - 100)
    return soft


def evaluate(metric, *predictions, num_frames=2, **tubes):
    """Evaluate one video; ``_1`` is object 1, a list of masks."""
    gt = {
        name[1:]: [rle(mask) if mask.any() else None for mask in masks]
        for name, masks in tubes.items()
    }
    sample = predicted_sample(list(predictions), gt, num_frames=num_frames)
    evaluator = Evaluator([metric])
    evaluator.process([sample])
    return evaluator.evaluate(1)


@pytest.mark.parametrize(
    ('object_ids', 'masks', 'score'),
    [
        (('1',), [A, A], 0),
        (('1',), [A, EMPTY], 50),
        (('1',), [EMPTY, EMPTY], 100),
        ((), [A, A], 100),
    ],
)
def test_jf_is_1_in_the_frames_without_an_object(object_ids, masks, score):
    metrics = evaluate(JFMetric(), null(object_ids=object_ids), _1=masks)
    assert metrics == {'J&F': score, 'J': score, 'F': score}


def test_ref_davis17_leaves_the_pixels_to_the_other_predictions():
    right = predict([A] * 2, '0', annotator='annot1')
    right.soft_masks = soften([A] * 2)
    nothing = null('4', annotator='annot1', object_ids=('2',))
    metrics = evaluate(
        RefDAVIS17Metric(), right, nothing, _1=[A] * 2, _2=[B] * 2
    )
    assert metrics['referring/J&F'] == metrics['published/J&F'] == 50
    metrics = evaluate(RefDAVIS17Metric(), right, nothing, _1=[A] * 2)
    assert metrics['referring/J&F'] == metrics['published/J&F'] == 100


def test_a2d_does_not_count_the_candidates():
    right = predict([B], '0', object_ids=('2',))
    right.candidates = [Candidate([rle(B)], 0.9)]
    metrics = evaluate(
        A2DMetric(), right, null('1', 1), num_frames=1, _1=[A], _2=[B]
    )
    # One of two is right. Precision 1 at the recalls 0, 0.01 ... 0.5.
    assert metrics['P@0.5'] == metrics['P@0.9'] == 50
    assert metrics['oIoU'] == 100 * 36 / 72
    assert metrics['mAP'] == pytest.approx(100 * 51 / 101)
    assert metrics['mAP_best_query'] == metrics['mAP']
    metrics = evaluate(A2DMetric(), null('1', 1), num_frames=1, _1=[A])
    assert metrics['mAP'] == metrics['P@0.5'] == 0


def test_a2d_rewards_null_where_nothing_is_referred():
    right = predict([B], '0', object_ids=('2',))
    right.candidates = [Candidate([rle(B)], 0.9)]
    nothing = null('1', 1, object_ids=())
    metrics = evaluate(
        A2DMetric(), right, nothing, num_frames=1, _1=[A], _2=[B]
    )
    assert metrics == pytest.approx(dict.fromkeys(metrics, 100))
    # An answer there is a false positive, with more confidence: 1, then 2.
    nothing.is_null = False
    nothing.masks = [rle(A)]
    nothing.candidates[0].score = 0.95
    metrics = evaluate(
        A2DMetric(), right, nothing, num_frames=1, _1=[A], _2=[B]
    )
    assert metrics['P@0.5'] == 50
    assert metrics['mAP'] == pytest.approx(50)


def test_a2d_without_any_object_has_no_map():
    metrics = evaluate(
        A2DMetric(), null('1', 1, object_ids=()), num_frames=1, _1=[A]
    )
    assert metrics['P@0.9'] == 100
    assert np.isnan(metrics['mAP'])


@pytest.mark.parametrize(
    ('object_ids', 'mask', 'score'),
    [(('1',), A, 0), (('1',), EMPTY, 100), ((), A, 100)],
)
def test_refcoco_does_not_count_the_box(object_ids, mask, score):
    prediction = null(num_frames=1, object_ids=object_ids)
    metrics = evaluate(RefCOCOMetric(), prediction, num_frames=1, _1=[mask])
    assert metrics == {'REC': score, 'oIoU': score, 'mIoU': score}


def test_refcoco_without_boxes_has_no_rec():
    prediction = null(num_frames=1)
    prediction.bboxes = []
    metrics = evaluate(RefCOCOMetric(), prediction, num_frames=1, _1=[A])
    assert metrics == {'oIoU': 0, 'mIoU': 0}


def test_avsbench_scores_it_as_an_empty_map():
    prediction = null(linear=True)
    metrics = evaluate(AVSBenchMetric(), prediction, _1=[A, EMPTY])
    # The silent frame has all of its background.
    assert metrics['mIoU'] == 50
    # The best threshold is 0, the whole frame: of 600 pixels 36 are right.
    precision = 36 / 600
    best = 1.3 * precision / (0.3 * precision + 1)
    assert metrics['F'] == pytest.approx(100 * best)
    silent = evaluate(AVSBenchMetric(), prediction, _1=[EMPTY, EMPTY])
    assert silent['mIoU'] == 100 and np.isnan(silent['F'])


@pytest.mark.parametrize('writer', [RefYouTubeVOSSubmission, MeViSSubmission])
def test_submissions_have_an_empty_mask_in_every_frame(tmp_path, writer):
    sample = predicted_sample([predict([A] * 2), null('7')], None)
    evaluator = Evaluator([writer(str(tmp_path / 'out'))])
    evaluator.process([sample])
    assert evaluator.evaluate(1) == {'submission/masks': 4}
    root = f'{writer.zip_root}/' if writer.zip_root else ''
    with zipfile.ZipFile(tmp_path / 'out.zip') as archive:
        for frame in sample.frame_ids:
            for reference, mask in (('0', A), ('7', EMPTY)):
                name = f'cat/{reference}/{frame}.png'
                with Image.open(tmp_path / 'out/Annotations' / name) as image:
                    assert image.mode == 'L'
                    assert (np.asarray(image) == 255 * mask).all()
                assert archive.getinfo(f'{root}{name}').file_size > 0
