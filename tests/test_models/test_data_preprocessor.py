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
    out['inputs'] = preprocessor.normalize(out['inputs'])
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
    frames = preprocessor(batch((1, 1)))['inputs']
    out = preprocessor.normalize(frames).flatten().tolist()
    assert out[:3] == pytest.approx([2.24891, -2.03571, -0.06153], abs=1e-5)


@pytest.mark.parametrize(
    ('training', 'sizes', 'kept'),
    [
        (False, [(40, 50)], True),
        (False, [(40, 50), (40, 50)], False),
        (True, [(32, 32)], False),
    ],
)
def test_a_single_clip_stays_uint8_until_it_is_seen(
    preprocessor, training, sizes, kept
):
    out = preprocessor(batch(*sizes), training)
    assert (out['inputs'].dtype == torch.uint8) == kept
    first = preprocessor.restore(out['inputs'][0], out['data_samples'][0])
    assert torch.equal(first, batch(*sizes)['inputs'][0])
    assert out['data_samples'][0][0].batch_input_shape == tuple(
        out['inputs'].shape[-2:]
    )


def test_a_clip_to_be_padded_is_normalised_before():
    config = load_config('configs/_base_/models/referformer_r50.py')
    config.model.data_preprocessor.test_pad_size_divisor = 32
    other = MODELS.build(config.model.data_preprocessor)
    inputs = other(batch((40, 50)))['inputs']
    assert inputs.dtype == torch.float32
    assert inputs.shape[-2:] == (64, 64)
    assert not inputs[..., 40:, :].any()


def test_blue_first_is_turned():
    config = load_config('configs/_base_/models/referformer_r50.py')
    settings = {**config.model.data_preprocessor, 'bgr_to_rgb': True}
    other = MODELS.build(settings)
    one, two = batch((1, 1)), batch((1, 1), (1, 1))
    lazily = other.normalize(other(one)['inputs'])
    torch.testing.assert_close(lazily[0], other(two)['inputs'][0])
