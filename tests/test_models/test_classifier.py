"""A backbone learns categories and hands itself over."""

import math

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from tests.builders import build_model, load_config


@pytest.fixture
def model():
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(load_config('configs/mini/backbone_mini.py').model)


def test_losses_of_untrained_levels_are_those_of_guessing(model):
    for head in model.heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    labels = torch.full((2, 64, 96), 21)
    labels[0, :32] = 0
    labels[0, 32:] = 3
    losses = model(torch.rand(2, 3, 64, 96), labels=labels, mode='loss')
    for level in range(3):
        assert losses[f'loss_{level}'].item() == pytest.approx(math.log(22))
        # All logits are equal: the first class is guessed, which half of
        # the objects' pixels are.
        assert losses[f'accuracy_{level}'].item() == 0.5


def test_background_counts_less(model):
    """By hand: weighted mean of -log p over the pixels."""
    for head in model.heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        head.bias.data[21] = 2.0
    labels = torch.full((1, 64, 64), 21)
    labels[:, :32] = 5
    losses = model(torch.rand(1, 3, 64, 64), labels=labels, mode='loss')
    total = 21 + math.exp(2)
    expected = (math.log(total) + 0.2 * (math.log(total) - 2)) / 1.2
    assert losses['loss_0'].item() == pytest.approx(expected, abs=1e-5)


def test_labels_are_taken_at_the_middle_of_a_levels_pixels(model):
    labels = torch.full((1, 64, 64), 21)
    # The middle of the stride-8 pixel in row 2 and column 1, and of no
    # other level's.
    labels[0, 20, 12] = 7
    for head in model.heads:
        torch.nn.init.zeros_(head.weight)
        head.bias.data[:] = 0
        head.bias.data[7] = 9
    losses = model(torch.rand(1, 3, 64, 64), labels=labels, mode='loss')
    assert losses['accuracy_0'].item() == 1
    # Nothing of an object is seen there: no share of it is right.
    assert torch.isfinite(losses['loss_1']) and 'accuracy_1' not in losses


def test_prediction_is_the_first_levels(model):
    frames = torch.rand(2, 3, 64, 96)
    model.eval()
    logits = model(frames)
    assert [tuple(level.shape) for level in logits] == [
        (2, 22, 8, 12),
        (2, 22, 4, 6),
        (2, 22, 2, 3),
    ]
    assert torch.equal(model(frames, mode='predict'), logits[0].argmax(1))


def test_loss_without_labels_is_refused(model):
    with pytest.raises(ValueError, match='labels is None'):
        model(torch.rand(1, 3, 64, 64), mode='loss')


def test_the_mini_segmentor_takes_the_whole_backbone_over(model):
    config = load_config('configs/mini/referformer_mini.py')
    segmentor = MODELS.build(config.model)
    found = segmentor.load_state_dict(model.state_dict(), strict=False)
    missing = [key for key in found.missing_keys if key.startswith('backbone')]
    assert missing == []
    assert all(key.startswith('heads.') for key in found.unexpected_keys)
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(segmentor.backbone.state_dict()[name], value)


@pytest.fixture
def sound_model():
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(load_config('configs/mini/vggish_mini.py').model)


def test_every_token_of_a_sound_is_classified(sound_model):
    """The whole and each second; guessing costs log 7."""
    sounds = torch.randn(3, 5, 1, 96, 64)
    logits = sound_model(sounds)
    assert logits.shape == (3, 1 + 5, 7)
    assert torch.equal(
        sound_model(sounds, mode='predict'), logits.mean(1).argmax(1)
    )
    torch.nn.init.zeros_(sound_model.head.weight)
    torch.nn.init.zeros_(sound_model.head.bias)
    losses = sound_model(sounds, labels=torch.tensor([0, 3, 3]), mode='loss')
    assert losses['loss'].item() == pytest.approx(math.log(7))
    # The first class is guessed.
    assert losses['accuracy'].item() == pytest.approx(1 / 3)


def test_sounds_without_labels_are_refused(sound_model):
    with pytest.raises(ValueError, match='labels is None'):
        sound_model(torch.randn(1, 5, 1, 96, 64), mode='loss')


def test_the_mini_segmentor_takes_the_whole_sound_encoder_over(sound_model):
    segmentor = build_model('configs/mini/mutr_mini_joint_pretrain.py')
    learned = {
        key: value
        for key, value in sound_model.state_dict().items()
        if not key.startswith('head.')
    }
    theirs = {
        key: value.shape
        for key, value in segmentor.state_dict().items()
        if key.startswith('sound_encoder.')
    }
    assert {key: value.shape for key, value in learned.items()} == theirs
