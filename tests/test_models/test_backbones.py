"""Backbones of clips, alone and in a whole, small ReferFormer."""

import copy

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torchvision.models.video import SwinTransformer3d
from transformers import (
    ConvNextBackbone,
    ConvNextConfig,
    ConvNextForImageClassification,
)

from refvos.models import (
    FrameConvNeXt,
    FramePyramidVisionTransformerV2,
    FrameSwinTransformer,
    VideoSwinTransformer,
)
from refvos.models.backbones import resize_bias_table, window_attention
from refvos.structures import Reference
from tests.builders import build_model, load_config, make_sample

MINI = 'configs/_base_/models/referformer_mini.py'
FULL = 'configs/_base_/models'
LARGE, SMALL = (64, 96), (40, 72)
TINY = dict(embed_dims=16, depths=(2, 1, 1, 1), num_heads=(1, 2, 2, 4))
SWIN = dict(TINY, type='FrameSwinTransformer', window_size=3)
VIDEO_SWIN = dict(TINY, type='VideoSwinTransformer', window_size=(2, 3, 3))
RESNET = dict(
    type='ResNet',
    depth=18,
    base_channels=16,
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=True,
)
CONVNEXT = dict(
    type='FrameConvNeXt', embed_dims=(16, 32, 64, 128), depths=(2, 1, 1, 1)
)
PVT = dict(
    type='FramePyramidVisionTransformerV2',
    embed_dims=16,
    num_layers=(2, 1, 1, 1),
    num_heads=(1, 2, 4, 8),
)
BACKBONES = dict(
    resnet=RESNET,
    swin=SWIN,
    video_swin=VIDEO_SWIN,
    convnext=CONVNEXT,
    pvt=PVT,
)
every_backbone = pytest.mark.parametrize('kind', list(BACKBONES))


def build_backbone(kind, **options):
    torch.manual_seed(0)
    init_default_scope('mmdet')
    return MODELS.build({**copy.deepcopy(BACKBONES[kind]), **options})


def run_backbone(backbone, frames):
    """Maps (B*T, c, h, w) of frames (B, T, 3, H, W)."""
    if getattr(backbone, 'takes_clips', False):
        return backbone(frames)
    return backbone(frames.flatten(0, 1))


def draw_frames(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


# ------------------------------------------------------------ full-size models


@pytest.mark.parametrize(
    ('name', 'millions'), [('swin_t', 176.764), ('video_swin_t', 177.088)]
)
def test_parameter_counts(name, millions):
    """The published numbers; these backbones have no batch norm."""
    init_default_scope('mmdet')
    with torch.device('meta'):
        model = MODELS.build(
            load_config(f'{FULL}/referformer_{name}.py').model
        )
    total = sum(p.numel() for p in model.parameters())
    assert round(total / 1e6, 3) == millions


@pytest.mark.parametrize(
    'name',
    [
        *('r50', 'r101', 'swin_t', 'swin_s', 'swin_b', 'swin_l'),
        *('video_swin_t', 'video_swin_s', 'video_swin_b'),
        *('convnext_l', 'pvtv2_b5'),
    ],
)
def test_configs_name_the_channels_that_their_backbones_give(name):
    """A level's channels are those of the last norm or block in it."""
    init_default_scope('mmdet')
    system = 'mutr' if name in ('convnext_l', 'pvtv2_b5') else 'referformer'
    config = load_config(f'{FULL}/{system}_{name}.py').model
    with torch.device('meta'):
        model = MODELS.build(config)
    backbone = model.backbone
    if isinstance(backbone, ResNet):
        given = [getattr(backbone, f'layer{i}')[-1].bn3 for i in (1, 2, 3, 4)]
        given = [norm.num_features for norm in given]
    elif isinstance(backbone, FrameSwinTransformer):
        given = [
            getattr(backbone, f'norm{i}').normalized_shape[0] for i in range(4)
        ]
    elif isinstance(backbone, FrameConvNeXt):
        given = [norm.normalized_shape[0] for norm in backbone.norms]
    elif isinstance(backbone, FramePyramidVisionTransformerV2):
        given = [norm.normalized_shape[0] for *_, norm in backbone.layers]
    else:
        stages = backbone.features[::2]
        given = [stage[-1].norm2.normalized_shape[0] for stage in stages]
    assert given == list(config.in_channels)
    taken = [p.conv.in_channels for p in model.input_projections]
    assert taken == [*given[1:], given[-1]]


# -------------------------------------------------------- levels of a backbone


@every_backbone
def test_sizes_are_rounded_up(kind):
    """360 is not divisible by 16; T = 1 is less than the windows' 2."""
    backbone = build_backbone(kind)
    with torch.no_grad():
        levels = run_backbone(backbone, draw_frames(1, 1, 3, 360, 640))
    assert [tuple(level.shape) for level in levels] == [
        (1, 16, 90, 160),
        (1, 32, 45, 80),
        (1, 64, 23, 40),
        (1, 128, 12, 20),
    ]


@pytest.mark.parametrize('window', [(2, 3, 3), (4, 7, 7), (3, 2, 5)])
@pytest.mark.parametrize('num_frames', [1, 2, 5, 9])
def test_video_swin_gives_the_levels_of_torchvision(
    monkeypatch, num_frames, window
):
    monkeypatch.setattr(window_attention, 'WINDOWS_AT_ONCE', 5)
    torch.manual_seed(0)
    theirs = SwinTransformer3d(
        patch_size=[1, 4, 4],
        embed_dim=16,
        depths=list(TINY['depths']),
        num_heads=list(TINY['num_heads']),
        window_size=list(window),
    ).eval()
    read = []
    for index in (0, 2, 4, 6):
        theirs.features[index].register_forward_hook(
            lambda module, inputs, output: read.append(output)
        )
    ours = build_backbone('video_swin', window_size=window).eval()
    weights = {
        key: value
        for key, value in theirs.state_dict().items()
        if key.startswith(('patch_embed.', 'features.'))
    }
    # Whose indices of positions are taken out.
    ours.load_state_dict(weights)
    clips = draw_frames(2, num_frames, 3, 50, 67)
    levels = ours(clips)
    with torch.no_grad():
        theirs(clips.transpose(1, 2))
        # A few windows at a time.
        parts = ours(clips)
    assert len(read) == len(levels) == len(parts) == 4
    for level, part, maps in zip(levels, parts, read):
        expected = maps.permute(0, 1, 4, 2, 3).flatten(0, 1)
        assert torch.equal(level, expected)
        torch.testing.assert_close(part, expected, rtol=1e-5, atol=1e-5)


@every_backbone
def test_checkpointing_changes_no_output_and_no_gradient(kind):
    """Nor does it draw other blocks to skip (stochastic depth)."""
    options = {} if kind == 'resnet' else dict(drop_path_rate=0.5)
    results = []
    for with_cp in (False, True):
        backbone = build_backbone(kind, with_cp=with_cp, **options)
        backbone.train()
        torch.manual_seed(1)
        levels = run_backbone(backbone, draw_frames(2, 2, 3, 40, 72))
        sum(level.square().mean() for level in levels).backward()
        gradients = {
            name: parameter.grad
            for name, parameter in backbone.named_parameters()
        }
        results.append((levels, gradients))
    (levels, gradients), (again, gradients_again) = results
    for a, b in zip(levels, again):
        assert torch.equal(a, b)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradients_again[name], gradient, msg=name)
    assert sum(g.any() for g in gradients.values()) > 0.8 * len(gradients)


def test_checkpointing_keeps_less(monkeypatch):
    """Video-Swin's blocks are left out of the graph until they are needed."""
    kept = {}
    for with_cp in (False, True):
        backbone = build_backbone('video_swin', with_cp=with_cp).train()
        sizes = []

        def pack(x, sizes=sizes):
            sizes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            backbone(draw_frames(1, 2, 3, 40, 72))
        kept[with_cp] = sum(sizes)
    assert kept[True] < kept[False] / 4


@pytest.mark.parametrize('kind', ['swin', 'video_swin', 'convnext', 'pvt'])
def test_frozen_stages(kind):
    backbone = build_backbone(kind, frozen_stages=1, drop_path_rate=0.5)
    frozen = {n for n, p in backbone.named_parameters() if not p.requires_grad}
    first = {
        'swin': ('patch_embed.', 'stages.0.', 'norm0.'),
        'video_swin': ('patch_embed.', 'features.0.', 'features.1.'),
        'convnext': ('embeddings.', 'stages.0.', 'norms.0.'),
        'pvt': ('layers.0.',),
    }[kind]
    assert frozen == {
        name
        for name, _ in backbone.named_parameters()
        if name.startswith(first)
    }
    backbone.train()
    frames = draw_frames(1, 2, 3, 40, 72)
    # No stochastic depth in what is frozen.
    first_levels = [run_backbone(backbone, frames)[0] for _ in range(4)]
    assert all(torch.equal(first_levels[0], x) for x in first_levels)
    assert not first_levels[0].requires_grad
    last = [run_backbone(backbone, frames)[-1] for _ in range(4)]
    assert not all(torch.equal(last[0], x) for x in last)
    last[0].sum().backward()
    with_gradient = {
        n for n, p in backbone.named_parameters() if p.grad is not None
    }
    assert not with_gradient & frozen
    none = build_backbone(kind, frozen_stages=4).train()
    trained = [n for n, p in none.named_parameters() if p.requires_grad]
    assert trained == []


# --------------------------------------------------------- another window size


def cubic(distance):
    """Keys' kernel with a = -0.75, which torch's bicubic has."""
    d = abs(distance)
    if d <= 1:
        return 1.25 * d**3 - 2.25 * d**2 + 1
    return -0.75 * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def resized(values, length):
    """1-D bicubic of numbers, worked out one by one; edges repeated."""
    scale = len(values) / length
    found = []
    for i in range(length):
        place = (i + 0.5) * scale - 0.5
        taps = range(int(place // 1) - 1, int(place // 1) + 3)
        found.append(
            sum(
                cubic(place - tap) * values[min(max(tap, 0), len(values) - 1)]
                for tap in taps
            )
        )
    return torch.tensor(found)


def test_biases_of_images_are_stretched():
    """Offsets -1..1 to -2..2, by rows and columns."""
    rows, columns = [1.0, 4.0, -2.0], [3.0, 0.5, 2.0]
    grid = torch.outer(torch.tensor(rows), torch.tensor(columns))
    table = torch.stack((grid.flatten(), -2 * grid.flatten()), 1)
    new = resize_bias_table(table, (1, 2, 2), (1, 3, 3))
    expected = torch.outer(resized(rows, 5), resized(columns, 5)).flatten()
    torch.testing.assert_close(new, torch.stack((expected, -2 * expected), 1))


def test_biases_of_videos_keep_their_distance_in_time():
    """Spatially constant tables: offsets -1..1 of two frames."""
    times = torch.tensor([10.0, 20.0, 30.0])
    table = times.repeat_interleave(9)[:, None]
    longer = resize_bias_table(table, (2, 2, 2), (4, 3, 3))
    assert longer.shape == (7 * 25, 1)
    expected = torch.tensor([10.0, 10, 10, 20, 30, 30, 30])
    torch.testing.assert_close(longer.view(7, 25).mean(1), expected)
    torch.testing.assert_close(longer.view(7, 25).std(1), torch.zeros(7))
    back = resize_bias_table(longer, (4, 3, 3), (2, 3, 3))
    torch.testing.assert_close(back.view(3, 25).mean(1), times)


def test_a_shorter_window_sees_a_short_clip_as_before():
    clip = draw_frames(1, 2, 3, 40, 72)
    trained = build_backbone('video_swin', window_size=(4, 3, 3)).eval()
    for name, parameter in trained.named_parameters():
        if 'bias_table' in name:
            torch.nn.init.normal_(parameter)
    shorter = build_backbone('video_swin', window_size=(2, 3, 3)).eval()
    shorter.load_state_dict(trained.state_dict())
    longer = build_backbone('video_swin', window_size=(8, 3, 3)).eval()
    longer.load_state_dict(trained.state_dict())
    with torch.no_grad():
        for ours in (shorter, longer):
            for a, b in zip(ours(clip), trained(clip)):
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_whole_models_load_at_another_window_size(tmp_path):
    """Through mmengine, as ``load_from`` and the tests do."""
    for kind, old, new in (
        ('swin', 3, 4),
        ('video_swin', (2, 3, 3), (2, 4, 4)),
        # Not square: from the model's own area at another time.
        ('video_swin', (4, 2, 3), (2, 2, 3)),
    ):
        trained = build_model(MINI, backbone_options(kind, window_size=old))
        path = tmp_path / 'weights.pth'
        torch.save({'state_dict': trained.state_dict()}, path)
        model = build_model(MINI, backbone_options(kind, window_size=new))
        load_checkpoint(model, str(path), strict=True)
        ours, theirs = model.state_dict(), trained.state_dict()
        assert ours.keys() == theirs.keys()
        tables = [key for key in ours if 'bias_table' in key]
        assert len(tables) == 5
        for key in ours.keys() - set(tables):
            assert torch.equal(ours[key], theirs[key]), key
        for key in tables:
            window = [(1, s, s) if kind == 'swin' else s for s in (old, new)]
            assert torch.equal(
                ours[key], resize_bias_table(theirs[key], *window)
            )


def test_a_table_of_unknown_window_is_reported():
    backbone = build_backbone('swin')
    state = backbone.state_dict()
    key = 'stages.0.blocks.0.attn.w_msa.relative_position_bias_table'
    for shape in ((24, 1), (25, 3)):
        with pytest.raises(RuntimeError, match=rf'size mismatch for {key}'):
            backbone.load_state_dict({**state, key: torch.zeros(shape)})


# --------------------------------------------------- ConvNeXt of transformers


def test_convnext_gives_the_levels_of_transformers(tmp_path):
    """From a classifier's weights, whose last norm is not of a level."""
    torch.manual_seed(0)
    sizes = dict(hidden_sizes=[16, 32, 64, 128], depths=[2, 1, 1, 1])
    classifier = ConvNextForImageClassification(ConvNextConfig(**sizes))
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.normal_(std=0.3)
    classifier.save_pretrained(tmp_path)
    theirs = ConvNextBackbone.from_pretrained(
        tmp_path, out_indices=[1, 2, 3, 4]
    ).eval()
    ours = build_backbone('convnext', pretrained=str(tmp_path))
    ours.init_weights()
    ours.eval()
    frames = draw_frames(2, 3, 64, 96)
    with torch.no_grad():
        expected = theirs(frames).feature_maps
        levels = ours(frames)
    for a, b in zip(levels, expected, strict=True):
        torch.testing.assert_close(a, b)
    kernel = classifier.convnext.embeddings.patch_embeddings.weight
    assert torch.equal(ours.embeddings.patch_embeddings.weight, kernel)


# ------------------------------------------------------- a whole ReferFormer


def backbone_options(kind, **options):
    backbone = {**copy.deepcopy(BACKBONES[kind]), **options, '_delete_': True}
    return {'model.backbone': backbone}


@pytest.fixture(scope='module', params=list(BACKBONES))
def model(request):
    torch.manual_seed(0)
    model = build_model(MINI, backbone_options(request.param))
    model.init_weights()
    with torch.no_grad():
        # Fresh norms leave zeros zero and hide ResNet's residual branches.
        for parameter in model.backbone.parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return model.eval()


def make_batch(model, sizes, num_frames):
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for index, size in enumerate(sizes):
        shape = (num_frames, 3, *size)
        clip = torch.randint(0, 256, shape, generator=generator)
        inputs.append(clip.to(torch.uint8))
        masks = torch.ones(num_frames, *size, dtype=torch.bool).numpy()
        reference = Reference(str(index), text='the red circle')
        samples.append(make_sample(masks, references=[reference]))
    data = {'inputs': inputs, 'data_samples': samples}
    data = model.data_preprocessor(data, False)
    return data['inputs'], data['data_samples']


def outputs(model, inputs, samples):
    with torch.no_grad():
        layer = model(inputs, samples, mode='tensor')[-1]
    return layer.scores, layer.bboxes, layer.masks


def assert_same(ours, theirs, index=0):
    # Mask logits reach tens: places are in pixels.
    for a, b, tolerance in zip(ours, theirs, (1e-5, 1e-5, 1e-4)):
        assert (a[index] - b[0]).abs().max() < tolerance


@pytest.mark.parametrize('num_frames', [1, 3])
def test_clip_in_a_batch_is_the_clip_alone(model, num_frames):
    inputs, samples = make_batch(model, [LARGE] * 2, num_frames)
    batch = outputs(model, inputs, samples)
    assert batch[2].shape == (2, num_frames, 1, 16, 24)
    for i in (0, 1):
        alone = outputs(model, inputs[i : i + 1], samples[i : i + 1])
        assert_same(batch, alone, i)
    assert (batch[2][0] - batch[2][1]).abs().max() > 1e-2


def test_clips_of_other_sizes(model):
    """The larger one is as alone, the smaller as alone with its padding.

    Alone and without padding it is another: convolutions and windows see
    the zeros, which no mask of theirs takes out.
    """
    inputs, samples = make_batch(model, [LARGE, SMALL], 2)
    assert inputs.shape[-2:] == LARGE
    batch = outputs(model, inputs, samples)
    for i in (0, 1):
        alone = outputs(model, inputs[i : i + 1], samples[i : i + 1])
        assert_same(batch, alone, i)
    bare = inputs[1:, ..., : SMALL[0], : SMALL[1]]
    with torch.no_grad():
        padded = run_backbone(model.backbone, inputs[1:])[0]
        alone = run_backbone(model.backbone, bare)[0]
    padded = padded[..., : SMALL[0] // 4, : SMALL[1] // 4]
    difference = (padded - alone).abs().max()
    if isinstance(model.backbone, FrameConvNeXt):
        # It pads with zeros itself: here to the larger clip's size.
        assert difference == 0
    else:
        assert difference > 1e-3


def test_frames_and_clips_of_a_backbone(model):
    """What an image backbone makes of a frame, other frames don't change."""
    frames = draw_frames(1, 2, 3, 40, 72)
    other = frames.clone()
    other[:, 1] += 1
    with torch.no_grad():
        first = [x[0] for x in model.extract_maps(frames)]
        again = [x[0] for x in model.extract_maps(other)]
    is_video = isinstance(model.backbone, VideoSwinTransformer)
    for a, b in zip(first, again):
        assert torch.equal(a, b) != is_video


def test_every_parameter_of_the_backbone_is_trained(model):
    """Else DistributedDataParallel waits for gradients that never come."""
    model = copy.deepcopy(model).train()
    inputs, samples = make_batch(model, [LARGE, SMALL], 2)
    losses = model(inputs, samples, mode='loss')
    model.parse_losses(losses)[0].backward()
    for name, parameter in model.backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any() or 'qkv.bias' in name, name


def test_prediction_at_a_size_that_nothing_divides(model):
    """The published test path does not pad."""
    inputs, samples = make_batch(model, [(45, 67)], 2)
    assert inputs.shape[-2:] == (45, 67)
    (sample,) = model(inputs, samples, mode='predict')
    sizes = [mask['size'] for mask in sample.predictions[0].masks]
    assert sizes == [[45, 67]] * 2
