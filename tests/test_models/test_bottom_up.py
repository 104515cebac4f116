"""The base line without queries, small and untrained."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pycocotools import mask as rle_codec
from torch import nn

from tests.builders import build_model, load_config

from .test_referformer import LARGE, NUM_FRAMES, fill_padding, make_batch

CONFIG = 'configs/mini/ablations/bottom-up_mini.py'
# Its right and its lower border are padding at stride 32, too.
SMALL = (30, 60)


def build(**options):
    torch.manual_seed(0)
    changes = {f'model.{name}': value for name, value in options.items()}
    model = build_model(CONFIG, changes)
    model.init_weights()
    return model.eval()


@pytest.fixture(scope='module')
def model():
    return build()


def masks_of(model, inputs, samples):
    with torch.no_grad():
        return model(inputs, samples, mode='tensor')


def long_video(model, num_frames):
    """One video, its frames drawn; and its sample."""
    inputs, samples = make_batch(model, [LARGE])
    generator = torch.Generator().manual_seed(3)
    shape = (1, num_frames, *inputs.shape[2:])
    return torch.randn(shape, generator=generator), samples


def test_there_are_no_queries(model):
    names = {name.split('.')[0] for name, _ in model.named_parameters()}
    assert names == {
        'backbone',
        'text_encoder',
        'input_projections',
        'encoder',
        'fpn',
        'mask_conv',
    }
    # Strides 8, 16 and 32; the pyramid knows no words.
    assert len(model.input_projections) == 3
    assert len(model.fpn.blocks) == 0


def test_shapes_of_outputs(model):
    inputs, samples = make_batch(model, [LARGE, LARGE])
    masks = masks_of(model, inputs, samples)
    assert masks.shape == (2, NUM_FRAMES, 16, 24)


class Recorder(nn.Module):
    """An encoder that says what it was given and changes nothing."""

    def forward(self, **given):
        self.given = given
        return given['query']


def test_pixels_of_all_frames_and_words_are_one_sequence():
    model = build()
    inputs, samples = make_batch(model, [LARGE, SMALL])
    model.encoder = Recorder()
    with torch.no_grad():
        video = model.encode_video(inputs, [LARGE, SMALL])
        references = [sample.references[0] for sample in samples]
        words = model.encode_references(references).only()
        memory = model.encode(video, words)
    given = model.encoder.given
    top = video.levels[-1]
    # What goes in comes out at its place: frames are not mixed up.
    assert torch.equal(memory, top.values())
    height, width = top.features.shape[-2:]
    pixels = NUM_FRAMES * height * width
    assert (height, width) == (LARGE[0] // 32, LARGE[1] // 32)
    assert torch.equal(given['query'][:, pixels:], words.tokens)
    assert torch.equal(given['query_pos'][:, pixels:], words.positions)
    mask = given['key_padding_mask']
    assert torch.equal(mask[:, pixels:], words.padding_mask)
    for clip, frame, y, x in np.ndindex(2, NUM_FRAMES, height, width):
        place = (frame * height + y) * width + x
        assert torch.equal(
            given['query_pos'][clip, place], top.positions[clip, :, y, x]
        )
        assert mask[clip, place] == top.padding_mask[clip, y, x]
    assert mask[1, :pixels].any() and not mask[0, :pixels].any()


def test_pyramid_stands_on_the_memory(model):
    inputs, samples = make_batch(model, [LARGE])
    with torch.no_grad():
        video = model.encode_video(inputs, [LARGE])
        references = model.encode_references(samples[0].references)
        memory = model.encode(video, references.only())
        found = model.refer(video, references)
        top = None
        maps = [video.high_resolution.values()]
        maps += [level.values() for level in video.levels[:2]] + [memory]
        for i in (3, 2, 1, 0):
            x = model.fpn.laterals[i](maps[i])
            if top is not None:
                x = x + F.interpolate(top, x.shape[-2:], mode='nearest')
            top = model.fpn.outputs[i](x)
        weight = model.mask_conv.weight[0, :, 0, 0]
        features = model.fpn.mask_features(top)
        expected = torch.einsum('c,tchw->thw', weight, features)
    torch.testing.assert_close(
        found[0], expected + model.mask_conv.bias, rtol=1e-4, atol=1e-4
    )


def test_clip_in_a_batch_is_the_clip_alone(model):
    inputs, samples = make_batch(model, [LARGE, LARGE])
    batch = masks_of(model, inputs, samples)
    for i in (0, 1):
        alone = masks_of(model, inputs[i : i + 1], samples[i : i + 1])
        assert (batch[i] - alone[0]).abs().max() < 1e-4
    assert (batch[0] - batch[1]).abs().max() > 1e-2


def test_a_smaller_clip_beside_it_changes_nothing(model):
    inputs, samples = make_batch(model, [LARGE, SMALL])
    batch = masks_of(model, inputs, samples)
    alone = masks_of(model, inputs[:1], samples[:1])
    assert (batch[0] - alone[0]).abs().max() < 1e-4


def test_padding_is_masked_in_attention(model):
    inputs, samples = make_batch(model, [LARGE, SMALL])
    references = [sample.references[0] for sample in samples]
    with torch.no_grad():
        video = model.encode_video(inputs, [LARGE, SMALL])
        words = model.encode_references(references).only()
        before = model.encode(video, words)
        levels = [fill_padding(level) for level in video.levels]
        after = model.encode(replace(video, levels=levels), words)
    padding = video.levels[-1].padding_mask.repeat_interleave(NUM_FRAMES, 0)
    assert padding.any()
    keep = ~padding[:, None].expand_as(before)
    torch.testing.assert_close(after[keep], before[keep], rtol=1e-4, atol=1e-5)


def test_words_matter_and_their_padding_does_not(model):
    inputs, samples = make_batch(model, [LARGE, LARGE])
    alone = masks_of(model, inputs[:1], samples[:1])
    other = copy.copy(samples[0])
    other.references = samples[1].references
    changed = masks_of(model, inputs[:1], [other])
    assert (alone - changed).abs().max() > 1e-3
    # The first text is the longer one: the second is padded beside it.
    both = masks_of(model, inputs[[0, 0]], [samples[0], other])
    assert (both[1] - changed[0]).abs().max() < 1e-4


def test_frames_of_a_clip_see_each_other_and_no_other_clip(model):
    video, samples = long_video(model, 5)
    before = masks_of(model, video, samples)
    changed = video.clone()
    changed[:, 3] += 1
    after = masks_of(model, changed, samples)
    moved = (after - before)[0].abs().flatten(1).amax(1)
    # Clips of two frames: 0 and 1, 2 and 3, and 4 alone.
    assert (moved[[2, 3]] > 1e-4).all()
    assert (moved[[0, 1, 4]] == 0).all()


def test_a_long_video_is_answered_clip_after_clip(model):
    video, samples = long_video(model, 5)
    whole = masks_of(model, video, samples)
    parts = [
        masks_of(model, video[:, start:stop], samples)
        for start, stop in ((0, 2), (2, 4), (4, 5))
    ]
    assert whole.shape[1] == 5
    torch.testing.assert_close(
        whole, torch.cat(parts, 1), rtol=1e-4, atol=1e-5
    )
    # Of two such videos, each keeps its frames.
    both = masks_of(model, video.flip(1)[[0, 0]] * 1, [samples[0]] * 2)
    assert both.shape[:2] == (2, 5)
    torch.testing.assert_close(both[0], both[1], rtol=1e-4, atol=1e-5)


class TakesClips(nn.Module):
    """A video backbone that notes how many frames it sees."""

    takes_clips = True

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.seen = []

    def forward(self, frames):
        self.seen.append(frames.shape[1])
        return self.backbone(frames.flatten(0, 1))


def test_a_video_backbone_sees_no_more_than_a_clip():
    model = build()
    video, samples = long_video(model, 5)
    pair = torch.cat((video, video.flip(1)))
    expected = masks_of(model, pair, samples * 2)
    model.backbone = TakesClips(model.backbone)
    found = masks_of(model, pair, samples * 2)
    assert model.backbone.seen == [2, 2, 1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_prediction_is_the_mask_and_its_mean_probability(model):
    inputs, samples = make_batch(model, [LARGE])
    samples[0].set_metainfo({'ori_shape': (100, 151)})
    model = copy.deepcopy(model)
    # Logits as they are: one lies on the threshold.
    model.test_cfg = model.test_cfg.changed(compact_features=False)
    logits = masks_of(model, inputs, samples)[0]
    # Some of the pixels are in the mask.
    shift = logits.median()
    with torch.no_grad():
        model.mask_conv.bias -= shift
    logits = logits - shift
    full = F.interpolate(
        logits[:, None], (100, 151), mode='bilinear', align_corners=False
    )[:, 0]
    (sample,) = model(inputs, samples, mode='predict')
    (prediction,) = sample.predictions
    drawn = np.stack([rle_codec.decode(rle) for rle in prediction.masks])
    clear = full.abs().numpy() > 1e-3
    assert clear.mean() > 0.9
    assert ((drawn > 0) == (full > 0).numpy())[clear].all()
    for frame, score in zip(logits, prediction.frame_scores, strict=True):
        inside = frame[frame > 0].sigmoid()
        assert len(inside) > 0
        assert score == pytest.approx(float(inside.mean()), abs=1e-4)
    assert prediction.score == pytest.approx(
        sum(prediction.frame_scores) / NUM_FRAMES
    )


def test_score_of_an_empty_mask_is_zero(model):
    model = copy.deepcopy(model)
    inputs, samples = make_batch(model, [LARGE])
    with torch.no_grad():
        model.mask_conv.bias.fill_(-1000.0)
    (sample,) = model(inputs, samples, mode='predict')
    assert sample.predictions[0].frame_scores == [0.0, 0.0]
    areas = rle_codec.area(sample.predictions[0].masks)
    assert areas.tolist() == [0, 0]


def test_every_parameter_is_trained():
    model = build().train()
    inputs, samples = make_batch(model, [LARGE, SMALL], training=True)
    losses = model(inputs, samples, mode='loss')
    assert set(losses) == {'loss_mask', 'loss_dice'}
    # A residual branch of the backbone is zero at the start.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    losses = model(inputs, samples, mode='loss')
    model.parse_losses(losses)[0].backward()
    unused, silent = [], []
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            unused.append(name)
        elif not parameter.grad.any():
            silent.append(name)
    # Nothing asks for the sentence: the config says find_unused_parameters.
    pooler = 'text_encoder.model.pooler.dense'
    assert unused == [f'{pooler}.weight', f'{pooler}.bias']
    assert load_config(CONFIG).find_unused_parameters
    # A key's bias moves all scores of a query alike: softmax forgets it.
    assert [name for name in silent if 'key.bias' not in name] == []


def test_it_learns_one_clip():
    model = build().train()
    inputs, samples = make_batch(model, [LARGE], training=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    history = []
    for _ in range(20):
        total, logged = model.parse_losses(model(inputs, samples, mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(logged['loss_dice'].item())
    assert history[-1] < 0.5 * history[0]
