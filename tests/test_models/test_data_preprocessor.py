"""Clips into batches."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

import refvos  # noqa: F401  (registers the models)
from tests.builders import load_config, make_sample


@pytest.fixture(scope='module')
def preprocessor():
    init_default_scope('mmdet')
    config = load_config('configs/_base_/models/referformer_r50.py')
    return MODELS.build(config.model.data_preprocessor)


def batch(*sizes):
    """Clips of two frames, red 255, green 0, blue 100."""
    colour = torch.tensor([255, 0, 100], dtype=torch.uint8)
    clips = [colour.view(1, 3, 1, 1).expand(2, 3, h, w) for h, w in sizes]
    samples = [make_sample(np.zeros((2, *size), bool)) for size in sizes]
    return {'inputs': clips, 'data_samples': samples}


@pytest.mark.parametrize(
    ('training', 'sizes', 'padded'),
    [
        (True, [(40, 50)], (64, 64)),
        (True, [(32, 64)], (32, 64)),
        (True, [(40, 50), (20, 70)], (64, 96)),
        (False, [(40, 50)], (40, 50)),
        (False, [(40, 50), (20, 70)], (40, 70)),
        # Training leaves nothing behind that a test would see.
        (True, [(33, 33)], (64, 64)),
        (False, [(33, 33)], (33, 33)),
    ],
)
def test_padding(preprocessor, training, sizes, padded):
    out = preprocessor(batch(*sizes), training)
    assert out['inputs'].shape == (len(sizes), 2, 3, *padded)
    for clip, sample, (height, width) in zip(
        out['inputs'], out['data_samples'], sizes, strict=True
    ):
        assert sample.img_shape == (height, width)
        assert not clip[..., height:, :].any()
        assert not clip[..., width:].any()
        # ImageNet's mean and deviation, red first.
        expected = torch.tensor(
            [
                (255 - 123.675) / 58.395,
                (0 - 116.28) / 57.12,
                (100 - 103.53) / 57.375,
            ]
        )
        inside = clip[..., :height, :width]
        wanted = expected.view(1, 3, 1, 1).expand_as(inside)
        torch.testing.assert_close(inside, wanted)


def test_values_are_those_of_imagenet(preprocessor):
    out = preprocessor(batch((1, 1)))['inputs'].flatten().tolist()
    assert out[:3] == pytest.approx([2.24891, -2.03571, -0.06153], abs=1e-5)
