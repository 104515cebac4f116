"""The blocks of a model against plain formulas."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from refvos.errors import InputError
from refvos.models import TextEncoder
from refvos.models.layers import (
    CrossModalFPN,
    DynamicMaskHead,
    PixelReferenceFusion,
    VisionLanguageBlock,
    cross_modal_fpn,
    sine_positions_1d,
)
from refvos.models.layers import (
    attention as attention_module,
)
from refvos.models.layers.attention import attend_to_tokens
from refvos.structures import FeatureLevel, Reference, ReferenceTokens
from tests.builders import ROOT

C = 16


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def draw_words(batch=2, lengths=(5, 3), dims=C):
    """Words, padded to the longest."""
    longest = max(lengths)
    mask = torch.arange(longest)[None] >= torch.tensor(lengths)[:, None]
    return ReferenceTokens(
        tokens=torch.randn(batch, longest, dims),
        padding_mask=mask,
        positions=sine_positions_1d(mask, dims),
        sentence=torch.randn(batch, dims),
    )


def change_padding(words):
    """Other values where the tokens are padding."""
    noise = 100 * torch.randn_like(words.tokens)
    tokens = torch.where(words.padding_mask[..., None], noise, words.tokens)
    return ReferenceTokens(
        tokens, words.padding_mask, words.positions, words.sentence
    )


# ------------------------------------------------------------------- positions


def test_sine_positions_by_the_formula():
    mask = torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1]]).bool()
    positions = sine_positions_1d(mask, 6)
    assert positions.shape == (2, 4, 6)
    for row, length in ((0, 4), (1, 2)):
        for place in range(length):
            # The last valid token is at 2 pi.
            x = 2 * math.pi * (place + 1) / (length + 1e-6)
            for i in range(3):
                angle = x / 10000 ** (2 * i / 6)
                pair = positions[row, place, 2 * i : 2 * i + 2].tolist()
                assert pair == pytest.approx(
                    [math.sin(angle), math.cos(angle)], abs=1e-5
                )


def test_positions_do_not_depend_on_padding():
    alone = sine_positions_1d(torch.zeros(1, 3, dtype=torch.bool), C)
    mask = torch.tensor([[0, 0, 0, 1, 1, 1]]).bool()
    torch.testing.assert_close(sine_positions_1d(mask, C)[:, :3], alone)


# ---------------------------------------------------------------- early fusion


@pytest.mark.parametrize('combine', ['multiply', 'add'])
def test_fusion_is_attention_to_the_words(combine):
    fusion = PixelReferenceFusion(C, num_heads=4, combine=combine)
    pixels, words = torch.randn(2, 7, C), draw_words()
    out = fusion(pixels, words)
    weight = fusion.attention.in_proj_weight.chunk(3)
    bias = fusion.attention.in_proj_bias.chunk(3)
    query = F.linear(pixels, weight[0], bias[0])
    key = F.linear(words.tokens + words.positions, weight[1], bias[1])
    value = F.linear(words.tokens, weight[2], bias[2])
    heads = []
    for q, k, v in zip(
        *(x.split(C // 4, -1) for x in (query, key, value)), strict=True
    ):
        scores = q @ k.transpose(1, 2) / math.sqrt(C // 4)
        scores = scores.masked_fill(words.padding_mask[:, None], -math.inf)
        heads.append(scores.softmax(-1) @ v)
    answer = fusion.attention.out_proj(torch.cat(heads, -1))
    expected = pixels * answer if combine == 'multiply' else pixels + answer
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    again = fusion(pixels, change_padding(words))
    torch.testing.assert_close(again, out)


def test_fusion_knows_two_combinations():
    with pytest.raises(ValueError, match="'mix'; expected one of"):
        PixelReferenceFusion(C, combine='mix')


@pytest.mark.parametrize('lengths', [(3, 2), (9, 7)])
def test_few_tokens_are_attended_to_by_a_short_cut(monkeypatch, lengths):
    """Folded into the tokens or not: the same answers."""
    attention = nn.MultiheadAttention(C, 4, batch_first=True).eval()
    nn.init.normal_(attention.in_proj_bias)
    nn.init.normal_(attention.out_proj.bias)
    pixels, words = torch.randn(2, 7, C), draw_words(lengths=lengths)
    folded = []
    fold = attention_module.fold_and_attend
    monkeypatch.setattr(
        attention_module,
        'fold_and_attend',
        lambda *args: folded.append(1) or fold(*args),
    )
    expected = attend_to_tokens(attention, pixels, words)
    assert not folded
    with torch.no_grad():
        found = attend_to_tokens(attention, pixels, words)
        changed = attend_to_tokens(attention, pixels, change_padding(words))
    # 4 heads of 3 tokens are fewer than 16 channels, 4 of 9 are not.
    assert len(folded) == (2 if lengths[0] == 3 else 0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(changed, expected)


# --------------------------------------------------------- vision and language


def draw_maps(size, num_frames=2, batch=2, channels=C):
    return (
        torch.randn(batch * num_frames, channels, *size),
        torch.randn(batch, C, *size),
    )


def block(reduction):
    return VisionLanguageBlock(C, 4, 32, reduction, dropout=0.1).eval()


def run_block(module, maps, positions, mask, words):
    """Both steps on whole clips."""
    seen = module.attend_across_frames(module.shrink(maps), positions, mask)
    return module(maps, seen, positions, words)


def test_frames_of_a_clip_see_each_other_and_no_other_clip():
    maps, positions = draw_maps((4, 6))
    words = draw_words()
    out = run_block(block(2), maps, positions, None, words)
    changed = maps.clone()
    changed[1] += 1  # clip 0, frame 1
    torch.manual_seed(0)
    module = block(2)
    before = run_block(module, maps, positions, None, words)
    after = run_block(module, changed, positions, None, words)
    assert out.shape == maps.shape
    assert (after[0] - before[0]).abs().max() > 1e-3
    assert torch.equal(after[2:], before[2:])


def test_block_batch_equals_one_by_one():
    maps, positions = draw_maps((5, 7))
    words, module = draw_words(), block(2)
    out = run_block(module, maps, positions, None, words)
    for clip in range(2):
        alone = run_block(
            module,
            maps[2 * clip : 2 * clip + 2],
            positions[clip : clip + 1],
            None,
            words[clip : clip + 1],
        )
        torch.testing.assert_close(out[2 * clip : 2 * clip + 2], alone)


def test_block_without_a_mask_is_one_with_an_empty_mask():
    maps, positions = draw_maps((4, 6))
    words, module = draw_words(), block(2)
    mask = torch.zeros(2, 4, 6, dtype=torch.bool)
    torch.testing.assert_close(
        run_block(module, maps, positions, mask, words),
        run_block(module, maps, positions, None, words),
        rtol=1e-4,
        atol=1e-5,
    )


def test_padded_words_have_no_influence_on_pixels():
    maps, positions = draw_maps((4, 6))
    words, module = draw_words(), block(2)
    torch.testing.assert_close(
        run_block(module, maps, positions, None, change_padding(words)),
        run_block(module, maps, positions, None, words),
    )


@pytest.mark.parametrize('reduction', [1, 2])
def test_padded_pixels_have_no_influence_on_frames(reduction):
    """The second clip is 4 x 4 in 4 x 8.

    A shrunk map is grown back by bilinear interpolation, which mixes the
    answers of the column beside the border: it is left out, as it would
    differ in the published code, too.
    """
    maps, positions = draw_maps((4, 8))
    mask = torch.zeros(2, 4, 8, dtype=torch.bool)
    mask[1, :, 4:] = True
    changed = maps.clone()
    changed[2:, ..., 4:] += 10 * torch.randn_like(changed[2:, ..., 4:])
    words, module = draw_words(), block(reduction)
    before = run_block(module, maps, positions, mask, words)
    after = run_block(module, changed, positions, mask, words)
    border = 4 if reduction == 1 else 3
    torch.testing.assert_close(after[:2], before[:2])
    torch.testing.assert_close(
        after[2:, ..., :border], before[2:, ..., :border]
    )
    # Without the mask they would have.
    before = run_block(module, maps, positions, None, words)
    after = run_block(module, changed, positions, None, words)
    assert (after - before)[2:, ..., :border].abs().max() > 1e-2


def draw_levels(padded_from=None):
    """Strides 4, 8, 16, 32 of two clips of 64 x 96."""
    levels = []
    for stride, channels in ((4, 8), (8, C), (16, C), (32, C)):
        size = 64 // stride, 96 // stride
        maps, positions = draw_maps(size, channels=channels)
        mask = torch.zeros(2, *size, dtype=torch.bool)
        if padded_from is not None:
            mask[1, :, padded_from // stride :] = True
        levels.append(FeatureLevel(maps, positions, mask))
    return levels


def test_pyramid_by_its_own_parts():
    fpn = CrossModalFPN([8, C, C, C], C, 4, 32).eval()
    levels, words = draw_levels(), draw_words()
    top = None
    for i in (3, 2, 1, 0):
        lateral, output = fpn.laterals[i], fpn.outputs[i]
        x = F.conv2d(levels[i].features, lateral.conv.weight)
        x = F.group_norm(x, 8, lateral.gn.weight, lateral.gn.bias)
        x = run_block(fpn.blocks[i], x, levels[i].positions, None, words)
        if top is not None:
            x = x + F.interpolate(top, x.shape[-2:], mode='nearest')
        x = F.conv2d(x, output.conv.weight, padding=1)
        top = F.group_norm(x, 8, output.gn.weight, output.gn.bias).relu()
    last = fpn.mask_features
    expected = F.conv2d(top, last.weight, last.bias, padding=1)
    found = fpn(levels, words, is_padded=False)
    assert found.shape == (4, C, 16, 24)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_pyramid_leaves_the_unpadded_clip_alone():
    """Convolutions and group norms mix pixels of one frame, never clips."""
    fpn = CrossModalFPN([8, C, C, C], C, 4, 32).eval()
    levels, words = draw_levels(padded_from=64), draw_words()
    out = fpn(levels, words, is_padded=True)
    firsts = [
        FeatureLevel(
            level.features[:2], level.positions[:1], level.padding_mask[:1]
        )
        for level in levels
    ]
    alone = fpn(firsts, words[:1], is_padded=False)
    torch.testing.assert_close(out[:2], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('fuse_words', [True, False])
def test_pyramid_in_parts_is_that_of_the_whole_clip(fuse_words):
    fpn = CrossModalFPN([8, C, C, C], C, 4, 32, fuse_words=fuse_words).eval()
    levels, words = draw_levels(padded_from=64), draw_words()
    parts = [
        [
            replace(
                level,
                features=level.features.unflatten(0, (2, 2))[:, t],
            )
            for level in levels
        ]
        for t in (0, 1)
    ]
    small = [fpn.shrink(fpn.project(part), part) for part in parts]
    seen = fpn.attend_across_frames(small, levels, is_padded=True)
    assert len(seen) == (4 if fuse_words else 0)
    whole = fpn(levels, words, is_padded=True).unflatten(0, (2, 2))
    for t, part in enumerate(parts):
        fused = fpn.fuse(
            fpn.project(part), part, words, [x[:, t : t + 1] for x in seen]
        )
        torch.testing.assert_close(
            fpn.mask_features(fused), whole[:, t], rtol=1e-4, atol=1e-5
        )


def test_feed_forward_takes_some_tokens_at_a_time(monkeypatch):
    maps, positions = draw_maps((5, 7))
    words, module = draw_words(), block(2)
    expected = run_block(module, maps, positions, None, words)
    monkeypatch.setattr(cross_modal_fpn, 'TOKENS_AT_ONCE', 16)
    widths = []
    module.feedforward.register_forward_hook(
        lambda _, inputs, __: widths.append(len(inputs[0]))
    )
    with torch.no_grad():
        found = run_block(module, maps, positions, None, words)
    # 2 clips of 2 frames of 35 pixels.
    assert widths == [16] * 8 + [12]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_pyramid_without_words():
    fpn = CrossModalFPN([8, C, C, C], C, 4, 32, fuse_words=False).eval()
    levels = draw_levels()
    out = fpn(levels, draw_words(), is_padded=False)
    assert torch.equal(out, fpn(levels, draw_words(), is_padded=False))
    assert not any('blocks' in name for name, _ in fpn.named_parameters())


# ------------------------------------------------------------------- mask head


@pytest.mark.parametrize('relative', [True, False])
@pytest.mark.parametrize('num_layers', [2, 3])
def test_masks_by_plain_convolutions(relative, num_layers):
    batch, num_frames, queries, height, width = 2, 2, 3, 4, 6
    head = DynamicMaskHead(C, 8, num_layers, 4, relative)
    nn.init.normal_(head.controller.layers[-1].weight, std=0.2)
    states = torch.randn(batch, num_frames, queries, C)
    features = torch.randn(batch * num_frames, C, height, width)
    points = torch.rand(batch, num_frames, queries, 2)
    shapes = [(16, 24), (12, 20)]
    masks = head(states, features, points, shapes)
    assert masks.shape == (batch, num_frames, queries, height, width)

    inputs = [C + 2 if relative else C] + [8] * (num_layers - 1)
    outputs = [8] * (num_layers - 1) + [1]
    ys = 4 * torch.arange(height).float() + 2
    xs = 4 * torch.arange(width).float() + 2
    for b in range(batch):
        for t in range(num_frames):
            for n in range(queries):
                parameters = head.controller(states[b, t, n])
                x = features[b * num_frames + t]
                if relative:
                    px = points[b, t, n, 0] * shapes[b][1]
                    py = points[b, t, n, 1] * shapes[b][0]
                    place = torch.stack(
                        (
                            (px - xs)[None].expand(height, width),
                            (py - ys)[:, None].expand(height, width),
                        )
                    )
                    x = torch.cat((x, place))
                expected = convolve(x[None], parameters, inputs, outputs)
                torch.testing.assert_close(
                    masks[b, t, n], expected[0, 0], rtol=1e-4, atol=1e-3
                )


@pytest.mark.parametrize('queries', [1, 3])
def test_the_last_convolution_can_be_merged_into_the_masks(queries):
    head = DynamicMaskHead(C)
    nn.init.normal_(head.controller.layers[-1].weight, std=0.2)
    conv = nn.Conv2d(6, C, 3, padding=1)
    states = torch.randn(2, 2, queries, C)
    maps = torch.randn(4, 6, 5, 7)
    points = torch.rand(2, 2, queries, 2)
    shapes = [(20, 28), (12, 20)]
    expected = head(states, conv(maps), points, shapes)
    found = head(states, maps, points, shapes, conv)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def convolve(x, parameters, inputs, outputs):
    """1x1 convolutions from one vector: all weights, then all biases."""
    sizes = [o * i for o, i in zip(outputs, inputs, strict=True)] + outputs
    parts = parameters.split(sizes)
    last = len(outputs) - 1
    for layer, (o, i) in enumerate(zip(outputs, inputs, strict=True)):
        weight = parts[layer].view(o, i, 1, 1)
        x = F.conv2d(x, weight, parts[len(outputs) + layer])
        x = x if layer == last else x.relu()
    return x


def test_mask_head_has_the_papers_size():
    """169 parameters per query and then some: 258 * 8 + 8 * 8 + 8 + 17."""
    controller = DynamicMaskHead(256).controller
    assert controller.layers[-1].out_features == 2153


def test_mask_head_without_coordinates_has_two_channels_less():
    """Table 4: 8 kernels of the first convolution lose x and y."""
    full = DynamicMaskHead(256, relative_coordinates=True).controller
    less = DynamicMaskHead(256, relative_coordinates=False).controller
    sizes = [c.layers[-1].out_features for c in (full, less)]
    assert sizes[0] - sizes[1] == 2 * 8


@pytest.mark.parametrize('relative', [True, False])
def test_only_coordinates_tell_where_a_pixel_is(relative):
    """Features moved by two pixels give the mask, moved by two pixels.

    With coordinates, the reference point has to move along.
    """
    head = DynamicMaskHead(C, relative_coordinates=relative)
    nn.init.normal_(head.controller.layers[-1].weight, std=0.2)
    queries = torch.randn(1, 1, 3, C)
    features = torch.randn(1, C, 6, 8)
    points = torch.full((1, 1, 3, 2), 0.25)
    size = [(24, 32)]
    moved = features.roll(2, dims=-1)
    mask = head(queries, features, points, size)
    expected = mask.roll(2, dims=-1)[..., 2:]
    found = head(queries, moved, points, size)[..., 2:]
    if relative:
        assert (found - expected).abs().max() > 0.1
        # Two mask pixels of 4 pixels each, of 32.
        along = points + torch.tensor([8 / 32, 0])
        found = head(queries, moved, along, size)[..., 2:]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
        elsewhere = head(queries, features, along, size)
        assert (elsewhere - mask).abs().max() > 0.1
    else:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
        elsewhere = head(queries, features, torch.rand_like(points), size)
        assert torch.equal(elsewhere, mask)


# ---------------------------------------------------------------- text encoder

TOKENIZER = str(ROOT / 'configs/mini/tokenizer')
SMALL = {
    'model_type': 'roberta',
    'vocab_size': 600,
    'hidden_size': 24,
    'num_hidden_layers': 2,
    'num_attention_heads': 2,
    'intermediate_size': 32,
    'max_position_embeddings': 34,
}
TEXTS = ['the red circle', 'a square', 'the small green ring on the left']


def references(texts=TEXTS):
    return [Reference(str(i), text=text) for i, text in enumerate(texts)]


def encoder(**kwargs):
    return TextEncoder(SMALL, TOKENIZER, embed_dims=C, **kwargs)


def test_text_batch_equals_one_by_one():
    model = encoder().eval()
    batch = model(references())
    lengths = (~batch.padding_mask).sum(1).tolist()
    assert len(set(lengths)) > 1
    for i, reference in enumerate(references()):
        alone = model([reference])
        assert alone.tokens.shape == (1, lengths[i], C)
        for name in ('tokens', 'positions'):
            torch.testing.assert_close(
                getattr(batch, name)[i, : lengths[i]],
                getattr(alone, name)[0],
                rtol=1e-4,
                atol=1e-5,
            )
        torch.testing.assert_close(
            batch.sentence[i], alone.sentence[0], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize('frozen', [True, False])
def test_what_is_frozen_and_what_is_trained(frozen):
    model = encoder(frozen=frozen, dropout=0.0).train()
    assert model.training and model.resizer.training
    assert model.model.training is not frozen
    tokens = model(references())
    (tokens.tokens.square().sum() + tokens.sentence.square().sum()).backward()
    assert model.resizer[0].weight.grad.abs().sum() > 0
    for name, parameter in model.model.named_parameters():
        assert parameter.requires_grad is not frozen, name
        assert (parameter.grad is None) is frozen, name
    if frozen:
        # Its dropout is off: the same answer twice.
        again = model(references())
        assert torch.equal(again.tokens, tokens.tokens)
    assert not model.eval().model.training


def test_text_too_long_for_the_encoder():
    text = ' '.join(['circle'] * 2000)
    texts = ['the red circle', text]
    with pytest.raises(InputError) as error:
        encoder()(references(texts))
    message = str(error.value)
    assert message.startswith("text encoder: text of reference '1' (")
    assert 'tokens) is ' in message and "'circle circle" in message
    # 34 positions, of which RoBERTa leaves two unused.
    assert message.endswith('; expected at most 32 tokens')
    assert len(message.splitlines()) == 1 and len(message) < 250


def test_the_longest_text_fits():
    model = encoder().eval()
    word = len(model.tokenizer('circle circle')['input_ids']) - len(
        model.tokenizer('circle')['input_ids']
    )
    fitting = (model.max_tokens - 2) // word
    tokens = model(references([' '.join(['circle'] * fitting)]))
    assert tokens.tokens.shape[1] == 2 + fitting * word <= 32
    with pytest.raises(InputError):
        model(references([' '.join(['circle'] * (fitting + 32))]))


@pytest.mark.parametrize('text', [None, ''])
def test_no_text(text):
    with pytest.raises(InputError, match=f'is {text!r}; expected an expr'):
        encoder()([Reference('0', text=text)])
