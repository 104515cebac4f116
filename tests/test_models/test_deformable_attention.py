"""Deformable attention by embedding bags is mmcv's deformable attention."""

import pytest
import torch
from mmcv.ops import MultiScaleDeformableAttention

from refvos.models.layers import DeformableAttention, use_deformable_attention
from refvos.models.layers.deformable_attention import step_for
from tests.builders import build_model

SHAPES = torch.tensor([[12, 20], [6, 10], [3, 5], [2, 3]])
NUM_PIXELS = int(SHAPES.prod(1).sum())
BATCH, CHANNELS = 2, 32


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def attention():
    module = DeformableAttention(
        CHANNELS, 4, num_levels=4, num_points=4, dropout=0, batch_first=True
    ).eval()
    # Far enough to leave the maps; zero at the start.
    torch.nn.init.normal_(module.sampling_offsets.weight)
    torch.nn.init.normal_(module.attention_weights.weight)
    return module


def draw(num_queries, coordinates, dtype=torch.float32):
    """Queries whose references lie inside and beyond the frame."""
    place = torch.rand(BATCH, num_queries, 4, 2) * 1.6 - 0.3
    extent = torch.rand(BATCH, num_queries, 4, coordinates - 2)
    return dict(
        query=torch.randn(BATCH, num_queries, CHANNELS, dtype=dtype),
        value=torch.randn(BATCH, NUM_PIXELS, CHANNELS, dtype=dtype),
        query_pos=torch.randn(BATCH, num_queries, CHANNELS, dtype=dtype),
        reference_points=torch.cat((place, extent), -1),
        spatial_shapes=SHAPES,
    )


@pytest.mark.parametrize('coordinates', [2, 4])
@pytest.mark.parametrize('num_queries', [5, NUM_PIXELS])
@pytest.mark.parametrize('masked', [False, True])
def test_answers_are_mmcvs(attention, coordinates, num_queries, masked):
    inputs = draw(num_queries, coordinates)
    if masked:
        inputs['key_padding_mask'] = torch.rand(BATCH, NUM_PIXELS) < 0.3
    with torch.no_grad():
        found = attention(**inputs)
        expected = MultiScaleDeformableAttention.forward(attention, **inputs)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (expected - inputs['query']).abs().mean() > 0.01


def test_on_the_border_of_a_map(attention):
    """Exactly half a pixel outside, on the border, and far away."""
    inputs = draw(6, 2)
    sizes = SHAPES.flip(1).float()
    places = torch.tensor([0.0, 0.5, 1.0, -5.0, 6.0, 1e6])
    inputs['reference_points'] = torch.stack(
        [places[:, None, None] + 0.5 / sizes * sign for sign in (-1, 1)]
    )
    torch.nn.init.zeros_(attention.sampling_offsets.weight)
    torch.nn.init.zeros_(attention.sampling_offsets.bias)
    with torch.no_grad():
        found = attention(**inputs)
        expected = MultiScaleDeformableAttention.forward(attention, **inputs)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_mmcvs(attention):
    inputs = draw(7, 2)
    attention(**inputs).square().sum().backward()
    found = {n: p.grad.clone() for n, p in attention.named_parameters()}
    attention.zero_grad()
    other = MultiScaleDeformableAttention.forward(attention, **inputs)
    other.square().sum().backward()
    for name, parameter in attention.named_parameters():
        assert torch.equal(found[name], parameter.grad), name
        assert parameter.grad.any(), name


def test_half_the_bits(attention):
    inputs = draw(NUM_PIXELS, 2)
    with torch.no_grad():
        expected = attention(**inputs)
        with torch.autocast('cpu', torch.bfloat16):
            found = attention(**inputs)
    assert (found - expected).abs().mean() < 0.02 * expected.abs().mean()


@pytest.mark.parametrize(
    ('batch', 'step'), [(1, 1), (5, 5), (64, 64), (80, 40), (67, 1)]
)
def test_the_kernels_step_divides_the_batch(batch, step):
    assert step_for(batch) == step


def test_the_whole_model_uses_it():
    model = build_model('configs/_base_/models/referformer_mini.py')
    for part in (model.encoder, model.decoder):
        found = [
            module
            for module in part.modules()
            if isinstance(module, MultiScaleDeformableAttention)
        ]
        assert len(found) == part.num_layers
        assert {type(module) for module in found} == {DeformableAttention}
        use_deformable_attention(part)
        assert found[0] in set(part.modules())
