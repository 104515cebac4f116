"""Operations counted by the tool are those worked out by hand."""

import json

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import MultiScaleDeformableAttention
from torch import nn

from refvos.errors import InputError
from tests.builders import ROOT, load_script, write_sound_config

MINI = str(ROOT / 'configs/mini/referformer_mini.py')
SMALL = ['--size', '64', '96', '--words', '4']


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/analysis_tools/get_flops.py')


@pytest.fixture(scope='module')
def mini(tool):
    """Results of the mini model by number of frames and references."""
    return {
        (frames, references): tool.main(
            [MINI, *SMALL, '--frames', str(frames), '--references']
            + [str(references), '--depth', '2']
        )
        for frames, references in ((2, 1), (4, 1), (2, 3))
    }


def flops_of(result, name):
    (found,) = [r for r in result['modules'] if r['module'] == name]
    return found['flops']


def test_convolution(tool):
    # 4 -> 6 channels, 3x3, stride 2: (3, 5) pixels of 2 images.
    model = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1)).eval()
    images = torch.randn(2, 4, 6, 10)
    counts, out = tool.count(model, lambda: model(images))
    assert out.shape == (2, 6, 3, 5)
    expected = 2 * (4 * 9) * 6 * (3 * 5) * 2
    assert counts == {'': expected, '0': expected}


def test_grouped_convolution(tool):
    model = nn.Conv2d(4, 6, 1, groups=2).eval()
    images = torch.randn(1, 4, 5, 5)
    counts, _ = tool.count(model, lambda: model(images))
    assert counts[''] == 2 * 2 * 6 * 25


def test_fused_attention(tool):
    """2 videos, 4 heads of 8 and 6 channels, 5 queries, 7 keys."""
    query = torch.randn(2, 4, 5, 8)
    key, value = torch.randn(2, 4, 7, 8), torch.randn(2, 4, 7, 6)
    counts, _ = tool.count(
        nn.Identity(),
        lambda: F.scaled_dot_product_attention(query, key, value),
    )
    assert counts[''] == 2 * 2 * 4 * 5 * 7 * (8 + 6)


@pytest.mark.parametrize('self_attention', [True, False])
def test_attention_module(tool, self_attention):
    """Four projections, and the two products; torch's fast path included."""
    model = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    query = torch.randn(1, 20, 16)
    key = query if self_attention else torch.randn(1, 6, 16)
    counts, _ = tool.count(model, lambda: model(query, key, key))
    length = key.shape[1]
    projections = 2 * 16 * 16 * (20 + length + length + 20)
    assert counts[''] == projections + 2 * 20 * length * (16 + 16)
    assert torch.backends.mha.get_fastpath_enabled()


def test_deformable_attention(tool):
    """20 queries, 16 channels, 4 heads, 2 levels, 3 points."""
    attention = MultiScaleDeformableAttention(16, 4, 2, 3, batch_first=True)
    model = nn.ModuleDict({'layer': attention.eval()})
    query = torch.randn(1, 20, 16)

    def run():
        return model['layer'](
            query=query,
            value=query,
            reference_points=torch.rand(1, 20, 2, 2),
            spatial_shapes=torch.tensor([[4, 4], [2, 2]]),
            level_start_index=torch.tensor([0, 16]),
        )

    counts, _ = tool.count(model, run)
    # Values, output; offsets (x and y) and weights of 24 points.
    linear = 2 * 20 * 16 * (16 + 16) + 2 * 20 * 16 * (24 * 2 + 24)
    # Each query sums 2 * 3 interpolated values in each channel.
    sampling = 20 * 16 * (2 * 3) * 2 * (4 + 1)
    assert counts[''] == counts['layer'] == linear + sampling
    assert counts['layer.value_proj'] == 2 * 20 * 16 * 16


def test_parts_sum_to_the_model(mini):
    result = mini[2, 1]
    assert result['flops'] == sum(result['phases'].values())
    rows = result['modules'][1:]
    top = [row for row in rows if '.' not in row['module']]
    assert sum(r['parameters'] for r in top) == result['parameters']
    # All but a few products stands in a module.
    assert sum(r['flops'] for r in top) == pytest.approx(
        result['flops'], rel=0.01
    )
    # The box branches run within the decoder and count twice.
    twice = flops_of(result, 'box_branches')
    assert sum(r['flops'] for r in top) - twice <= result['flops']
    (layer,) = [r for r in rows if r['module'] == 'box_branches.0']
    # 2 frames of one query: 64 -> 64 -> 64 -> 4, one of four layers.
    assert layer['flops'] == 2 * 2 * (64 * 64 + 64 * 64 + 64 * 4)
    assert twice == 4 * layer['flops']
    text = flops_of(result, 'text_encoder')
    assert text == result['phases']['encode_reference'] > 0


def test_twice_the_frames(mini):
    """Frames share nothing but the words, which are encoded once."""
    two, four = mini[2, 1], mini[4, 1]
    for name in ('backbone', 'input_projections', 'encoder', 'fpn.outputs'):
        assert flops_of(four, name) == 2 * flops_of(two, name), name
    for name in ('text_encoder.model', 'text_encoder.resizer'):
        assert flops_of(four, name) == flops_of(two, name), name
    assert four['phases']['answer'] == pytest.approx(
        2 * two['phases']['answer'], rel=0.01
    )
    assert four['parameters'] == two['parameters']


def test_three_references(mini):
    """The video is encoded once."""
    one, three = mini[2, 1]['phases'], mini[2, 3]['phases']
    assert three['encode_video'] == one['encode_video']
    for phase in ('encode_reference', 'answer'):
        assert three[phase] == 3 * one[phase]


def test_first_convolution_of_the_backbone(mini):
    """ResNet's stem: 7x7, 3 -> 16 channels, stride 2 on 64x96, 2 frames."""
    expected = 2 * (3 * 49) * 16 * (32 * 48) * 2
    assert flops_of(mini[2, 1], 'backbone.conv1') == expected


def test_printed_json_and_options(tool, capsys):
    argv = [MINI, *SMALL, '--frames', '1', '--json']
    tool.main([*argv, '--cfg-options', 'model.decoder.num_layers=1'])
    printed = json.loads(capsys.readouterr().out)
    names = [row['module'] for row in printed['modules']]
    assert names[0] == '' and 'mask_head' in names
    assert 'class_branches' in names and 'encoder.layers' not in names
    tool.main([*argv[:-1]])
    text = capsys.readouterr().out
    assert f'{printed["phases"]["encode_video"] / 1e9:.3f}' in text


def test_a_model_of_sounds(tool, tmp_path, capsys):
    """Three sounds of 4 s: two convolutions worked out, and the resizer."""
    result = tool.main(
        [
            write_sound_config(tmp_path / 'sound.py'),
            *('--size', '64', '96', '--frames', '2', '--depth', '4'),
            *('--references', '3', '--seconds', '4'),
        ]
    )
    examples = 3 * 4
    vggish = 'sound_encoder.vggish.features'
    first = 2 * 9 * 1 * 4 * (96 * 64) * examples
    assert flops_of(result, f'{vggish}.0') == first
    second = 2 * 9 * 4 * 4 * (48 * 32) * examples
    assert flops_of(result, f'{vggish}.3') == second
    resizer = 2 * 16 * 64 * examples
    assert flops_of(result, 'sound_encoder.resizer') == resizer
    encoder = flops_of(result, 'sound_encoder')
    assert encoder == result['phases']['encode_reference']
    assert '3 reference(s) of 4 s of sound' in capsys.readouterr().out


def test_model_without_text_encoder(tool, tmp_path):
    config = tmp_path / 'detector.py'
    config.write_text("model = dict(type='ResNet', depth=18)\n")
    with pytest.raises(InputError, match=r'text_encoder is None; expected'):
        tool.main([str(config)])
