"""Sixteen bits answer as thirty-two do, on a model that was trained."""

import json

import numpy as np
import pytest

from refvos.apis import RefVOSInferencer

from .conftest import MINI, ROOT

WEIGHTS = ROOT / 'demo' / 'weights' / 'referformer_mini.safetensors'


@pytest.fixture(scope='module')
def videos(shared_mini):
    """Folders of frames of held-out scenes, with their expressions."""
    root = shared_mini(train=1, val=1, test=4)
    path = root / 'meta_expressions' / 'test' / 'meta_expressions.json'
    asked = json.loads(path.read_text())['videos']
    return {
        str(root / 'test' / 'JPEGImages' / video): [
            each['exp'] for each in content['expressions'].values()
        ]
        for video, content in asked.items()
    }


def answers(videos, precision):
    inferencer = RefVOSInferencer(MINI, WEIGHTS, 'cpu', precision=precision)
    return [
        result.masks(index) > 0
        for folder, texts in videos.items()
        for result in [inferencer(folder, texts)]
        for index in range(len(texts))
    ]


@pytest.fixture(scope='module')
def full(videos):
    return answers(videos, None)


@pytest.mark.parametrize('precision', ['bf16', 'fp16'])
def test_masks_are_those_of_float32(videos, full, precision):
    half = answers(videos, precision)
    assert len(half) == len(full) >= 12
    overlaps = [
        np.count_nonzero(ours & theirs) / np.count_nonzero(ours | theirs)
        for ours, theirs in zip(half, full, strict=True)
        if (ours | theirs).any()
    ]
    # Not the same numbers, or nothing was tested.
    assert min(overlaps) < 1
    assert np.mean(overlaps) >= 0.98
