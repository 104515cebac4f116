"""Windows of a video whose answers continue each other."""

import numpy as np
import pytest
import torch
from pycocotools import mask as rle_codec

from refvos.models.segmentors.linking import follow, mean_overlap
from refvos.structures import Answer, Reference
from tests.builders import build_model, make_sample

SIZE = (40, 72)


def rle(left, width=4):
    mask = np.zeros((10, 20), np.uint8, order='F')
    mask[2:6, left : left + width] = 1
    return rle_codec.encode(mask)


def make_answer(masks, score, candidates=()):
    """An answer whose masks are encoded already."""
    scores = torch.full((len(masks),), score)
    return Answer(masks, scores, candidates=list(candidates))


def as_they_are(masks):
    return masks


def test_overlap_by_hand():
    # 4x4 against itself; shifted by 2: 8 of 24; nothing against nothing.
    assert mean_overlap([rle(0), rle(0)], [rle(0), rle(2)]) == pytest.approx(
        (1 + 8 / 24) / 2
    )
    assert mean_overlap([rle(0, 0)], [rle(3, 0)]) == 1
    assert mean_overlap([rle(0, 0)], [rle(3)]) == 0


def test_an_object_is_followed_although_another_scores_higher():
    candidates = [
        make_answer([rle(12)] * 3, 0.8),
        make_answer([rle(1)] * 3, 0.5),
    ]
    answer = make_answer(candidates[0].masks, 0.8, candidates)
    assert follow(answer, [], as_they_are) is candidates[0]
    assert follow(answer, [rle(0)], as_they_are) is candidates[1]
    # It is gone: overlaps say nothing, the score decides.
    assert follow(answer, [rle(0, 0)], as_they_are) is candidates[0]


def test_a_model_without_candidates():
    answer = make_answer([rle(0)], 0.3)
    assert follow(answer, [rle(9)], as_they_are).masks is answer.masks


def test_only_the_frames_in_common_are_encoded_for_all_candidates():
    """Five queries, four frames, one of them in the window before."""
    torch.manual_seed(0)
    model = build_model('configs/mini/ablations/referformer_mini_n5.py')
    model.init_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    frames = torch.randint(0, 256, (4, 3, *SIZE)).to(torch.uint8)
    sample = make_sample(np.zeros((4, *SIZE), bool))
    reference = Reference('0', text='the red circle')
    with torch.no_grad(), model.test_options(candidates=-1):
        video = model.encode_sample(frames, sample)
        (whole,) = model.answer_references(video, [reference], sample)
    # Continue the query with the lowest score.
    worst = min(whole.candidates, key=lambda each: each.score)
    encoded = []
    encode = model.encode_masks

    def record(logits, *args):
        encoded.append(len(logits))
        return encode(logits, *args)

    model.encode_masks = record
    with torch.no_grad():
        (found,) = model.answer_references(
            video, [reference], sample, previous=[worst.masks[:1]]
        )
    merits = [
        each.score + mean_overlap(each.masks[:1], worst.masks[:1])
        for each in whole.candidates
    ]
    expected = whole.candidates[int(np.argmax(merits))]
    assert found.masks == expected.masks
    assert found.score == pytest.approx(expected.score, abs=1e-6)
    assert found.candidates == []
    assert encoded == [1] * 5 + [4]
    assert model.test_cfg.candidates == 0
