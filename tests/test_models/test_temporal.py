"""MUTR's temporal modules against plain formulas."""

import math

import pytest
import torch
import torch.nn.functional as F

from refvos.models.layers import (
    TemporalAggregation,
    TemporalInteraction,
    sine_positions_1d,
)
from refvos.structures import FeatureLevel, ReferenceTokens

C = 16


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def draw_tokens(batch=2, length=5):
    mask = torch.zeros(batch, length, dtype=torch.bool)
    mask[1:, 3:] = True
    return ReferenceTokens(
        torch.randn(batch, length, C),
        mask,
        sine_positions_1d(mask, C),
        torch.randn(batch, C),
    )


def draw_levels(num_frames, batch=2, padded=False):
    levels = []
    for height, width in ((4, 6), (2, 3)):
        mask = torch.zeros(batch, height, width, dtype=torch.bool)
        if padded:
            mask[1, :, width // 2 :] = True
        levels.append(
            FeatureLevel(
                torch.randn(batch * num_frames, C, height, width),
                torch.randn(batch, C, height, width),
                mask,
            )
        )
    return levels


def cut(levels, clip, num_frames):
    frames = slice(clip * num_frames, (clip + 1) * num_frames)
    return [
        FeatureLevel(
            level.features[frames],
            level.positions[clip : clip + 1],
            level.padding_mask[clip : clip + 1],
        )
        for level in levels
    ]


def attend(module, query, key, value):
    """Multi-head attention by its formula, for one item."""
    weight = module.in_proj_weight.chunk(3)
    bias = module.in_proj_bias.chunk(3)
    q, k, v = (
        F.linear(x, w, b)
        for x, w, b in zip((query, key, value), weight, bias, strict=True)
    )
    heads, size = module.num_heads, C // module.num_heads
    found = []
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        scores = q[:, part] @ k[:, part].T / math.sqrt(size)
        found.append(scores.softmax(-1) @ v[:, part])
    return module.out_proj(torch.cat(found, -1))


# ------------------------------------------------------------------------- MTA


@pytest.mark.parametrize('num_blocks', [1, 2])
def test_aggregation_by_the_formula(num_blocks):
    module = TemporalAggregation(C, 4, 32, num_blocks)
    tokens, levels = draw_tokens(), draw_levels(3)
    found = module(tokens, levels, 3, is_padded=False)
    assert found.shape == (6, C)
    for clip in range(2):
        x = tokens.tokens[clip]
        for level in cut(levels, clip, 3):
            pixels = level.features.permute(0, 2, 3, 1).reshape(-1, C)
            for block in range(num_blocks):
                attention = module.attentions[block]
                query = x + tokens.positions[clip]
                seen = attend(attention.attention, query, pixels, pixels)
                x = attention.norm(x + seen)
                x = module.feedforwards[block](x)
        for frame in range(3):
            torch.testing.assert_close(
                found[3 * clip + frame], x[0], rtol=1e-4, atol=1e-5
            )


def test_padding_is_not_gathered():
    module = TemporalAggregation(C, 4, 32)
    tokens, levels = draw_tokens(), draw_levels(2, padded=True)
    before = module(tokens, levels, 2, is_padded=True)
    for level in levels:
        mask = level.padding_mask.repeat_interleave(2, 0)[:, None]
        level.features[:] = torch.where(mask, 50.0, level.features)
    torch.testing.assert_close(
        module(tokens, levels, 2, is_padded=True), before
    )


def test_without_time_every_frame_gathers_for_itself():
    module = TemporalAggregation(C, 4, 32, temporal=False)
    tokens, levels = draw_tokens(), draw_levels(3)
    found = module(tokens, levels, 3, is_padded=False).unflatten(0, (2, 3))
    assert (found[:, 0] - found[:, 1]).abs().max() > 1e-3
    for frame in range(3):
        alone = [
            FeatureLevel(
                level.features.unflatten(0, (2, 3))[:, frame],
                level.positions,
                level.padding_mask,
            )
            for level in levels
        ]
        torch.testing.assert_close(
            found[:, frame], module(tokens, alone, 1, is_padded=False)
        )


def test_a_single_scale():
    module = TemporalAggregation(C, 4, 32, num_levels=1)
    tokens, levels = draw_tokens(), draw_levels(2)
    found = module(tokens, levels, 2, is_padded=False)
    assert torch.equal(found, module(tokens, levels[-1:], 2, False))
    whole = TemporalAggregation(C, 4, 32)
    whole.load_state_dict(module.state_dict())
    assert not torch.allclose(found, whole(tokens, levels, 2, False))


# ------------------------------------------------------------------------- MTI


def interaction(**kwargs):
    return TemporalInteraction(3, C, 4, 32, **kwargs).eval()


def changed_by(module, frame, num_frames, shift=True):
    """Frames whose encoded queries change with those of one frame."""
    x = torch.randn(1, num_frames, 3, C)
    other = x.clone()
    other[:, frame] += 1
    with torch.no_grad():
        difference = module.encode(other, shift) - module.encode(x, shift)
    return difference.abs().amax((0, 2, 3)).gt(1e-6).nonzero()[:, 0].tolist()


@pytest.mark.parametrize(
    ('layers', 'shift', 'frame', 'expected'),
    [
        # Windows of 4: 0-3, 4-7, 8-9.
        (1, True, 1, [0, 1, 2, 3]),
        (1, True, 5, [4, 5, 6, 7]),
        (1, True, 9, [8, 9]),
        # Shifted by 2 in the second layer: 0-1, 2-5, 6-9.
        (2, True, 1, [0, 1, 2, 3, 4, 5]),
        (2, True, 9, [6, 7, 8, 9]),
        (2, False, 1, [0, 1, 2, 3]),
    ],
)
def test_who_meets_whom(layers, shift, frame, expected):
    module = interaction(num_encoder_layers=layers)
    assert changed_by(module, frame, 10, shift) == expected


def test_what_fills_a_window_up_is_met_by_nobody():
    """One frame alone in its window is that frame in a window of one."""
    module = interaction(num_encoder_layers=1)
    x = torch.randn(1, 5, 3, C)
    attention = module.encoder_attentions[0]
    seen = attend(attention.attention, x[0, 4], x[0, 4], x[0, 4])
    expected = module.encoder_feedforwards[0](attention.norm(x[0, 4] + seen))
    torch.testing.assert_close(
        module.encode(x, True)[0, 4], expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize('num_frames', [1, 3, 4, 9])
def test_a_batch_is_its_clips(num_frames):
    """The published repeat over frames was right for one clip only."""
    module = interaction()
    x = torch.randn(3, num_frames, 3, C)
    whole = module(x)
    assert whole.shape == x.shape
    for clip in range(3):
        torch.testing.assert_close(
            whole[clip : clip + 1],
            module(x[clip : clip + 1]),
            rtol=1e-4,
            atol=1e-5,
        )
    assert torch.equal(whole[:, 0], whole[:, -1])


def test_the_decoder_by_the_formula():
    module = interaction(num_encoder_layers=0, num_decoder_layers=1)
    frames = torch.randn(1, 2, 3, C)
    memory = frames[0].flatten(0, 1)
    slots = module.slot_positions.weight
    key = torch.cat([frames[0, 0] + slots, frames[0, 1] + slots])
    x = module.query_content.weight
    position = module.query_positions.weight
    for attentions, keys, values in (
        (module.cross_attentions, lambda x: key, lambda x: memory),
        (module.self_attentions, lambda x: x + position, lambda x: x),
    ):
        attention = attentions[0]
        seen = attend(attention.attention, x + position, keys(x), values(x))
        x = attention.norm(x + seen)
    x = module.norm(module.feedforwards[0](x))
    torch.testing.assert_close(module(frames)[0, 0], x, rtol=1e-4, atol=1e-5)


def test_without_a_decoder_every_frame_speaks_for_itself():
    module = interaction(num_decoder_layers=0)
    x = torch.randn(2, 5, 3, C)
    assert torch.equal(module(x), module.encode(x, True))
    assert not any('query' in name for name, _ in module.named_parameters())
