"""VGGish and the tokens that it gives."""

import math

import pytest
import torch
from mmengine.config import ConfigDict

from refvos.errors import InputError
from refvos.io.log_mel import examples_per_second
from refvos.models import SoundEncoder, VGGish
from refvos.models.layers import sine_positions_1d
from refvos.structures import Reference

RATE = 16000
TINY = dict(widths=(4, 4, 8, 8, 8, 8), embedding_dims=(32, 32, 16))


def make_encoder(frozen=False, **options):
    torch.manual_seed(0)
    encoder = SoundEncoder(
        vggish=dict(type='VGGish', frozen=frozen, **TINY),
        embed_dims=32,
        **options,
    )
    encoder.init_weights()
    return encoder


def make_sounds(*seconds):
    generator = torch.Generator().manual_seed(1)
    return [
        Reference(
            str(i), sound=torch.rand(s * RATE, generator=generator) - 0.5
        )
        for i, s in enumerate(seconds)
    ]


# ------------------------------------------------------------------- network


def test_published_size():
    with torch.device('meta'):
        network = VGGish()
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    convolutions = {0: 64, 3: 128, 6: 256, 8: 256, 11: 512, 13: 512}
    assert {
        k: v[0] for k, v in shapes.items() if k.startswith('features')
    } == {
        f'features.{i}.{leaf}': n
        for i, n in convolutions.items()
        for leaf in ('weight', 'bias')
    }
    assert [shapes[f'embeddings.{i}.weight'] for i in (0, 2, 4)] == [
        (4096, 12288), (4096, 4096), (128, 4096),
    ]  # fmt: skip


def test_map_is_flattened_by_height_width_channel():
    """The first linear layer sees one place of one channel only."""
    network = VGGish(**TINY)
    for height, width, channel in ((0, 0, 3), (5, 2, 0), (2, 3, 7)):
        weight = torch.zeros_like(network.embeddings[0].weight)
        weight[0, (height * 4 + width) * 8 + channel] = 1
        network.embeddings[0].weight.data = weight
        network.embeddings[0].bias.data.zero_()
        examples = torch.randn(2, 1, 96, 64)
        maps = network.features(examples)
        assert maps.shape == (2, 8, 6, 4)
        flat = maps.permute(0, 2, 3, 1).flatten(1)
        first = network.embeddings[0](flat)[:, 0]
        assert torch.equal(first, maps[:, channel, height, width])
        torch.testing.assert_close(network(examples), network.embeddings(flat))


def test_starting_weights_keep_the_scale():
    torch.manual_seed(0)
    network = VGGish(embedding_dims=(256, 16, 16))
    network.init_weights()
    for layer, fan_in in (
        (network.features[3], 64 * 9),
        (network.embeddings[0], 12288),
    ):
        assert layer.weight.std().item() == pytest.approx(
            math.sqrt(2 / fan_in), rel=0.02
        )
        assert not layer.bias.any()


def test_published_file_as_it_is(tmp_path):
    torch.manual_seed(1)
    published = VGGish(**TINY)
    path = str(tmp_path / 'vggish.pth')
    state = published.state_dict()
    torch.save(dict(state, **{'pproc.pca_means': torch.ones(16, 1)}), path)
    network = VGGish(
        **TINY, init_cfg=ConfigDict(type='Pretrained', checkpoint=path)
    )
    network.init_weights()
    for key, value in network.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_frozen():
    encoder = make_encoder(frozen=True, dropout=0.0).train()
    assert encoder.training and not encoder.vggish.training
    before = encoder(make_sounds(2))
    before.tokens.sum().backward()
    assert all(p.grad is None for p in encoder.vggish.parameters())
    assert not any(p.requires_grad for p in encoder.vggish.parameters())
    assert encoder.resizer[0].weight.grad.any()
    trained = make_encoder(dropout=0.0).train()
    same = trained(make_sounds(2))
    torch.testing.assert_close(same.tokens, before.tokens)
    # LayerNorm's channels sum to nothing: their squares do not.
    (same.tokens * torch.arange(32)).sum().backward()
    assert trained.vggish.features[0].weight.grad.any()


def test_frozen_network_takes_some_examples_at_a_time(monkeypatch):
    network = VGGish(**TINY, frozen=True)
    sizes = []
    embed = VGGish.embed

    def watch(self, examples):
        sizes.append(len(examples))
        return embed(self, examples)

    monkeypatch.setattr(VGGish, 'embed', watch)
    examples = torch.randn(70, 1, 96, 64)
    embedded = network(examples)
    assert sizes == [32, 32, 6]
    torch.testing.assert_close(embedded[40:41], network(examples[40:41]))


# ------------------------------------------------------------------- encoder


def test_a_batch_is_its_sounds_one_by_one():
    encoder = make_encoder().eval()
    references = make_sounds(3, 5, 1)
    batch = encoder(references)
    assert batch.tokens.shape == batch.positions.shape == (3, 5, 32)
    assert batch.padding_mask.tolist() == [
        [False] * 3 + [True] * 2, [False] * 5, [False] + [True] * 4,
    ]  # fmt: skip
    for i, reference in enumerate(references):
        alone = encoder([reference])
        count = alone.tokens.shape[1]
        assert not alone.padding_mask.any()
        torch.testing.assert_close(batch.tokens[i, :count], alone.tokens[0])
        assert not batch.tokens[i, count:].any()
        assert torch.equal(batch.positions[i, :count], alone.positions[0])
        torch.testing.assert_close(batch.sentence[i], alone.sentence[0])
        torch.testing.assert_close(alone.sentence, alone.tokens.mean(1))


def test_tokens_are_resized_embeddings_of_seconds():
    encoder = make_encoder().eval()
    (reference,) = make_sounds(4)
    found = encoder([reference])
    examples = examples_per_second(reference.sound)
    expected = encoder.resizer(encoder.vggish(examples))
    torch.testing.assert_close(found.tokens[0], expected)
    assert torch.equal(
        found.positions,
        sine_positions_1d(torch.zeros(1, 4, dtype=torch.bool), 32),
    )
    # Seconds differ, or nothing above would show their order.
    assert (expected[0] - expected[1]).abs().max() > 0.01
    ready = encoder([Reference('0', sound=examples)])
    assert torch.equal(ready.tokens, found.tokens)


def test_the_whole_sound_first():
    references = make_sounds(2, 3)
    plain = make_encoder().eval()(references)
    found = make_encoder(sentence_first=True).eval()(references)
    assert torch.equal(found.tokens[:, 0], plain.sentence)
    assert torch.equal(found.tokens[:, 1:], plain.tokens)
    assert torch.equal(found.sentence, plain.sentence)
    assert found.padding_mask.tolist() == [[False] * 3 + [True], [False] * 4]
    assert torch.equal(
        found.positions, sine_positions_1d(found.padding_mask, 32)
    )


def test_silence_gives_finite_tokens():
    encoder = make_encoder().train()
    tokens = encoder([Reference('0', sound=torch.zeros(5 * RATE))]).tokens
    (tokens * torch.arange(32)).sum().backward()
    assert tokens.shape == (1, 5, 32) and tokens.isfinite().all()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(
    ('sound', 'found'),
    [
        (None, 'None'),
        (torch.zeros(0), "'torch.float32 (0,)'"),
        (torch.zeros(2, RATE), "'torch.float32 (2, 16000)'"),
        (torch.zeros(RATE, dtype=torch.int16), "'torch.int16 (16000,)'"),
        (torch.zeros(5, 96, 64), "'torch.float32 (5, 96, 64)'"),
        (torch.zeros(0, 1, 96, 64), "'torch.float32 (0, 1, 96, 64)'"),
    ],
)
def test_no_sound(sound, found):
    encoder = make_encoder()
    with pytest.raises(InputError) as caught:
        encoder([*make_sounds(1), Reference('seven', sound=sound)])
    assert str(caught.value) == (
        f"sound encoder: sound of reference 'seven' is {found}; expected "
        'floats: a waveform (samples,) or log-mel examples '
        '(seconds, 1, 96, 64)'
    )
