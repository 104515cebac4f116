"""A backbone learns categories and hands itself over."""

import math

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from tests.builders import load_config


@pytest.fixture
def model():
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(load_config('configs/mini/backbone_mini.py').model)


def test_losses_of_untrained_levels_are_those_of_guessing(model):
    for head in model.heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    losses = model(
        torch.rand(4, 3, 64, 64),
        labels=torch.tensor([0, 3, 3, 20]),
        mode='loss',
    )
    for level in range(3):
        assert losses[f'loss_{level}'].item() == pytest.approx(math.log(21))
        # All logits are equal: the first class is guessed.
        assert losses[f'accuracy_{level}'].item() == 0.25


def test_prediction_is_the_last_levels(model):
    windows = torch.rand(2, 3, 64, 64)
    model.eval()
    logits = model(windows)
    assert [tuple(level.shape) for level in logits] == [(2, 21)] * 3
    assert torch.equal(model(windows, mode='predict'), logits[-1].argmax(1))


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
