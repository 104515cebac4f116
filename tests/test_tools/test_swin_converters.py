"""Published weights of Swin and Video-Swin, alone and in ReferFormer."""

import pytest
import torch
import torchvision
from mmdet.models.backbones import SwinTransformer
from mmengine.config import ConfigDict
from torchvision.models.video import SwinTransformer3d

from refvos.converters.convert import run_converter
from refvos.io.safe_checkpoint import load_checkpoint_file
from refvos.models import FrameSwinTransformer, VideoSwinTransformer
from tests.builders import ROOT, build_model, load_script
from tests.formula_weights import DATA
from tests.published_swin import (
    DEPTHS,
    HEADS,
    make_state,
    published_levels,
)

TOOLS = 'tools/model_converters'
MODELS = 'configs/_base_/models'
TINY = dict(embed_dims=8, depths=DEPTHS, num_heads=HEADS, drop_path_rate=0.0)
TINY_OPTIONS = [f'model.backbone.{k}={v}' for k, v in TINY.items()]
# Neither divisible by 4 nor, on the levels, by windows of 3.
SIZE = (46, 35)


@pytest.fixture
def convert(tmp_path, capsys):
    """Run a tool on weights; gives its status, lines, error and target."""

    def run(name, state, *options):
        tool = load_script(f'{TOOLS}/{name}.py')
        src, dst = tmp_path / 'published.pth', tmp_path / 'ours.pth'
        torch.save({'state_dict': state}, src)
        argv = [str(src), str(dst), *options]
        status = run_converter(tool.__doc__, tool.MAPPING, argv)
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err, dst

    return run


def draw_clip(num_frames):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_frames, 3, *SIZE, generator=generator)


def renamed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


def converted(name, state, part='backbone.'):
    """Ours of a published state dict, without the part's name."""
    tool = load_script(f'{TOOLS}/{name}.py')
    ours, _ = tool.MAPPING.apply(state, 'published')
    assert all(key.startswith(part) for key in ours)
    return {key[len(part) :]: value for key, value in ours.items()}


def assert_same_levels(ours, theirs):
    assert len(ours) == len(theirs) == 4
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape
        assert (a - b).abs().max() < 2e-5
        assert b.std() > 0.1


# ----------------------------------------------------- published ReferFormer


def light_state(name):
    """All keys of a published model in full size; a tensor is one number."""
    path = DATA / 'checkpoint_keys' / f'{name}.tsv'
    state = {}
    for row in path.read_text().splitlines()[1:]:
        key, shape = row.split('\t')
        size = [int(n) for n in shape.split('x') if n]
        state[key] = torch.zeros(1).expand(size) if size else torch.zeros(())
    return state


BOXES = '24 keys dropped: second names of the tensors in bbox_embed'
PUBLISHED_HABITS = 'test them with --cfg-options model.published_habits=True'
PLACES = '12 keys dropped: positions in a window, which the backbone computes'


@pytest.mark.parametrize(
    ('system', 'name', 'parameters'),
    [
        ('referformer', 'swin_t', 176_764_473),
        ('referformer', 'video_swin_t', 177_088_101),
        # ReferFormer's, and 10,000,896 of MTA and MTI.
        ('mutr', 'video_swin_t', 187_088_997),
    ],
)
def test_published_keys_are_all_used_or_dropped(
    system, name, parameters, convert
):
    state = light_state(f'{system}_{name}_p4w7')
    config = ROOT / MODELS / f'{system}_{name}.py'
    status, lines, error, dst = convert(system, state, '--config', str(config))
    assert (status, error) == (0, '')
    assert lines == [
        BOXES,
        PLACES,
        f'{len(state)} keys read, {len(state) - 36} written to {dst}',
        f'they fit the model of {config}',
        *[PUBLISHED_HABITS] * (system == 'mutr'),
    ]
    ours = load_checkpoint_file(str(dst))['state_dict']
    assert sum(value.numel() for value in ours.values()) == parameters


def test_published_mutr_with_swin(convert):
    """Its backbone has the names of ReferFormer's: here Swin-T."""
    swin = light_state('referformer_swin_t_p4w7')
    state = {
        **light_state('mutr_video_swin_t_p4w7'),
        **{k: v for k, v in swin.items() if k.startswith('backbone.')},
    }
    for key in list(state):
        if key.startswith('backbone.') and key not in swin:
            del state[key]
    config = ROOT / MODELS / 'mutr_swin_l.py'
    status, lines, error, dst = convert(
        'mutr',
        state,
        *('--config', str(config), '--cfg-options'),
        'model.in_channels=[96,192,384,768]',
        'model.backbone.embed_dims=96',
        'model.backbone.depths=[2,2,6,2]',
        'model.backbone.num_heads=[3,6,12,24]',
    )
    assert (status, error) == (0, '')
    assert lines[:2] == [BOXES, PLACES]
    ours = load_checkpoint_file(str(dst))['state_dict']
    assert sum(value.numel() for value in ours.values()) == 186_765_369


def test_published_mutr_with_resnet(convert):
    state = light_state('mutr_resnet50')
    config = ROOT / MODELS / 'mutr_r50.py'
    status, lines, error, dst = convert('mutr', state, '--config', str(config))
    assert (status, error) == (0, '')
    *dropped, counts, fits, options = lines
    assert dropped == [BOXES]
    # A counter comes to each of 53 batch norms.
    written = len(state) - 24 + 53
    assert counts == f'{len(state)} keys read, {written} written to {dst}'
    assert fits == f'they fit the model of {config}'
    assert options == PUBLISHED_HABITS
    meta = load_checkpoint_file(str(dst))['meta']
    assert meta['model_options'] == '{"model.published_habits": true}'
    ours = load_checkpoint_file(str(dst))['state_dict']
    norms = ('bn1.', 'bn2.', 'bn3.', 'downsample.1.')
    learned = [
        value.numel()
        for key, value in ours.items()
        if not any(norm in key for norm in norms)
    ]
    assert round(sum(learned) / 1e6, 3) == 186.263


def test_resnet101_has_the_names_of_resnet50():
    with torch.device('meta'):
        published = torchvision.models.resnet101().state_dict()
        ours = build_model(f'{MODELS}/referformer_r101.py').backbone
    published = {k: v for k, v in published.items() if k[:3] != 'fc.'}
    state = converted('referformer', renamed(published, 'backbone.0.body.'))
    wanted = ours.state_dict()
    assert state.keys() == wanted.keys()
    assert all(state[key].shape == wanted[key].shape for key in wanted)


def test_swin_in_referformer_gives_the_published_levels():
    state = make_state((4, 4), (3, 3), output_norms=True)
    backbone = FrameSwinTransformer(**TINY, window_size=3).eval()
    backbone.load_state_dict(
        converted('referformer', renamed(state, 'backbone.0.body.'))
    )
    clip = draw_clip(2)
    with torch.no_grad():
        levels = backbone(clip)
    assert_same_levels(
        levels, published_levels(state, clip, (1, 3, 3), clips=False)
    )


@pytest.mark.parametrize('num_frames', [1, 3, 5])
def test_video_swin_in_referformer_gives_the_published_levels(num_frames):
    """With clips shorter and longer than the window, too."""
    state = make_state((1, 4, 4), (4, 3, 3), output_norms=False)
    published = {}
    for key, value in state.items():
        if 'downsample' in key:
            stage, _, leaf = key[len('layers.') :].split('.', 2)
            key = f'downsamples.{stage}.{leaf}'
        published[f'backbone.0.body.{key}'] = value
    backbone = VideoSwinTransformer(**TINY, window_size=(4, 3, 3)).eval()
    backbone.load_state_dict(converted('referformer', published))
    clip = draw_clip(num_frames)
    with torch.no_grad():
        levels = backbone(clip[None])
    assert_same_levels(
        levels, published_levels(state, clip, (4, 3, 3), clips=True)
    )


def test_patch_merging_of_another_shape_is_refused(convert):
    state = renamed(
        make_state((4, 4), (3, 3), output_norms=True), 'backbone.0.body.'
    )
    key = 'backbone.0.body.layers.0.downsample.norm.bias'
    state[key] = torch.zeros(33)
    status, _, error, dst = convert('referformer', state)
    assert status == 2 and not dst.exists()
    assert f'shape of {key} is (33,); expected that of the' in error


# --------------------------------------------------------- ImageNet's Swin


def image_classifier():
    """As Microsoft publishes it: one norm, masks of shifted windows."""
    state = make_state((4, 4), (3, 3), output_norms=False)
    state['layers.0.blocks.1.attn_mask'] = torch.zeros(9, 9, 9)
    state['norm.weight'] = state['norm.bias'] = torch.full((64,), 3.0)
    state['head.weight'], state['head.bias'] = torch.ones(5, 64), torch.ones(5)
    return state


def pretrained(path, **options):
    return ConfigDict(type='Pretrained', checkpoint=str(path), **options)


def load_as_the_config_says(dst, backbone_class, window_size, **options):
    backbone = backbone_class(
        **TINY,
        window_size=window_size,
        init_cfg=pretrained(dst, **options),
    )
    backbone.init_weights()
    return backbone.eval()


def swin_options(*options):
    config = ROOT / MODELS / 'referformer_swin_t.py'
    return ['--config', str(config), '--cfg-options', *TINY_OPTIONS, *options]


def test_official_image_weights(convert):
    state = image_classifier()
    status, lines, error, dst = convert(
        'swin', state, *swin_options('model.backbone.window_size=3')
    )
    assert (status, error) == (0, '')
    assert lines[:-2] == [
        '6 keys dropped: positions in a window, which the backbone computes',
        '1 keys dropped: masks of shifted windows, computed for each image '
        'size',
        '4 keys dropped: the classifier and the norm before it',
        "8 weights keep their initial values: norms of the backbone's outputs",
    ]
    backbone = load_as_the_config_says(dst, FrameSwinTransformer, 3)
    clip = draw_clip(2)
    with torch.no_grad():
        levels = backbone(clip)
    theirs = published_levels(state, clip, (1, 3, 3), clips=False)
    theirs = [
        torch.nn.functional.layer_norm(
            level.permute(0, 2, 3, 1), level.shape[1:2]
        ).permute(0, 3, 1, 2)
        for level in theirs
    ]
    assert_same_levels(levels, theirs)


def test_official_image_weights_without_the_tool(tmp_path, convert):
    """What the configs do: mmdet's own reading of Microsoft's names."""
    state = image_classifier()
    _, _, _, dst = convert('swin', state)
    torch.save({'model': state}, tmp_path / 'official.pth')
    backbone = FrameSwinTransformer(
        **TINY,
        window_size=3,
        convert_weights=True,
        init_cfg=pretrained(tmp_path / 'official.pth'),
    )
    backbone.init_weights()
    ours = load_checkpoint_file(str(dst))['state_dict']
    found = renamed(backbone.state_dict(), 'backbone.')
    assert len(ours) == len(found) - 8
    for key, value in ours.items():
        assert torch.equal(found[key], value), key


@pytest.mark.parametrize('source', ['mmdet', 'mmpretrain'])
def test_image_weights_of_openmmlab(source, convert):
    torch.manual_seed(0)
    theirs = SwinTransformer(**TINY, window_size=3)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    state = renamed(theirs.state_dict(), 'backbone.')
    if source == 'mmdet':
        state['neck.lateral_convs.0.conv.weight'] = torch.ones(1)
        expected, started = 'parts of the detector other than', []
    else:
        for index in range(3):
            del state[f'backbone.norm{index}.weight']
            del state[f'backbone.norm{index}.bias']
        state['head.fc.weight'] = torch.ones(1)
        expected, started = 'the classifier and the norm', ['8']
    status, lines, error, dst = convert(
        'swin', state, *swin_options('model.backbone.window_size=3')
    )
    assert (status, error) == (0, '')
    assert any(f'keys dropped: {expected}' in line for line in lines)
    fresh = [s.split()[0] for s in lines if 'initial values' in s]
    assert fresh == started
    ours = load_checkpoint_file(str(dst))['state_dict']
    wanted = theirs.state_dict()
    for key, value in ours.items():
        assert torch.equal(wanted[key[len('backbone.') :]], value), key
    backbone = load_as_the_config_says(dst, FrameSwinTransformer, 3)
    if source == 'mmdet':
        clip = draw_clip(2)
        theirs.train(False)
        with torch.no_grad():
            for a, b in zip(backbone(clip), theirs(clip)):
                assert torch.equal(a, b)


# ------------------------------------------------------ Kinetics' Video-Swin


def kinetics_model():
    torch.manual_seed(0)
    return SwinTransformer3d(
        patch_size=[2, 4, 4],
        embed_dim=8,
        depths=list(DEPTHS),
        num_heads=list(HEADS),
        window_size=[4, 3, 3],
        num_classes=5,
    ).eval()


def levels_of(model, clip):
    """Maps (T, c, h, w) before each merging and at the end."""
    x = model.patch_embed(clip.transpose(0, 1)[None])
    levels = []
    for index, part in enumerate(model.features):
        x = part(x)
        if index % 2 == 0:
            levels.append(x[0].permute(0, 3, 1, 2))
    return levels


def video_options(*options):
    config = ROOT / MODELS / 'referformer_video_swin_t.py'
    return ['--config', str(config), '--cfg-options', *TINY_OPTIONS, *options]


def test_kinetics_weights_see_a_still_frame_as_before(convert):
    """Of torchvision: each frame twice there, once here."""
    kinetics = kinetics_model()
    status, lines, error, dst = convert(
        'video_swin',
        kinetics.state_dict(),
        *video_options('model.backbone.window_size=[4,3,3]'),
    )
    assert (status, error) == (0, '')
    assert lines[1] == '4 keys dropped: the classifier and the norm before it'
    backbone = load_as_the_config_says(
        dst, VideoSwinTransformer, (4, 3, 3), prefix='backbone.'
    )
    clip = draw_clip(3)
    with torch.no_grad():
        ours = backbone(clip[None])
        theirs = levels_of(kinetics, clip.repeat_interleave(2, 0))
    for a, b in zip(ours, theirs):
        assert (a - b).abs().max() < 1e-5
        assert b.std() > 0.1


def test_torchvision_file_loads_as_it_is(tmp_path, convert):
    """What the configs do."""
    state = kinetics_model().state_dict()
    _, _, _, dst = convert('video_swin', state)
    torch.save(state, tmp_path / 'torchvision.pth')
    backbone = load_as_the_config_says(
        tmp_path / 'torchvision.pth', VideoSwinTransformer, (4, 3, 3)
    )
    ours = load_checkpoint_file(str(dst))['state_dict']
    found = renamed(backbone.state_dict(), 'backbone.')
    assert found.keys() == ours.keys()
    for key, value in ours.items():
        assert torch.equal(found[key], value), key


@pytest.mark.parametrize('last_norm', ['norm', 'norm3'])
def test_kinetics_weights_of_mmaction(last_norm, convert):
    """Microsoft's release calls the last norm ``norm``, mmaction numbers."""
    state = make_state((2, 4, 4), (4, 3, 3), output_norms=False)
    published = renamed(state, 'backbone.')
    published[f'backbone.{last_norm}.weight'] = torch.ones(64)
    published['cls_head.fc_cls.weight'] = torch.ones(5, 64)
    status, lines, error, dst = convert(
        'video_swin',
        published,
        *video_options('model.backbone.window_size=[4,3,3]'),
    )
    assert (status, error) == (0, '')
    assert lines[1] == '2 keys dropped: the classifier and the norm before it'
    backbone = load_as_the_config_says(
        dst, VideoSwinTransformer, (4, 3, 3), prefix='backbone.'
    )
    clip = draw_clip(5)
    kernel = 'patch_embed.proj.weight'
    state[kernel] = state[kernel][:, :, :1] + state[kernel][:, :, 1:]
    with torch.no_grad():
        levels = backbone(clip[None])
    assert_same_levels(
        levels, published_levels(state, clip, (4, 3, 3), clips=True)
    )


# -------------------------------------------------------- another window size


def test_position_biases_fit_the_window(convert, tmp_path):
    state = image_classifier()
    options = swin_options('model.backbone.window_size=5')
    status, _, error, dst = convert('swin', state, *options)
    assert (status, error) == (0, '')
    ours = load_checkpoint_file(str(dst))['state_dict']
    table = 'attn.w_msa.relative_position_bias_table'
    assert ours[f'backbone.stages.1.blocks.0.{table}'].shape == (81, 2)
    # At loading: the same numbers, from the tool's file or Microsoft's.
    _, _, _, dst = convert('swin', state)
    official = tmp_path / 'official.pth'
    torch.save({'model': state}, official)
    for path, is_official in ((dst, False), (official, True)):
        backbone = FrameSwinTransformer(
            **TINY,
            window_size=5,
            convert_weights=is_official,
            init_cfg=pretrained(path),
        )
        backbone.init_weights()
        for key, value in ours.items():
            found = backbone.state_dict()[key[len('backbone.') :]]
            torch.testing.assert_close(found, value)
