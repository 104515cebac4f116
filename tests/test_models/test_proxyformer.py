"""ProxyFormer as a whole; its interaction is tested in test_cmie.py."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from refvos.structures import Reference, VideoFeatures
from tests.builders import build_model, make_sample

CONFIG = 'configs/mini/proxyformer_mini.py'
OPTIONS = {'model.num_queries': 3}
SIZE, NUM_FRAMES = (64, 96), 3
TEXTS = ['the red circle on the left', 'a small green square']


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    model = build_model(CONFIG, OPTIONS)
    model.init_weights()
    # Zero at the start: offsets of the sampling points, boxes, ...
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if 'backbone' not in name:
                parameter += 0.02 * torch.randn_like(parameter)
    return model.eval()


def draw_frames(batch=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, NUM_FRAMES, 3, *SIZE, generator=generator)


def make_samples(shapes=(SIZE, SIZE)):
    samples = []
    for index, (height, width) in enumerate(shapes):
        masks = np.zeros((NUM_FRAMES, height, width), bool)
        masks[:, 8 : 24 + 8 * index, 8:32] = True
        samples.append(
            make_sample(
                masks, references=[Reference(str(index), text=TEXTS[index])]
            )
        )
    return samples


def test_a_training_step_reaches_all_that_is_trained(model):
    model.zero_grad()
    losses = model.loss(draw_frames(), make_samples())
    assert losses['loss_jsc'] > 0
    assert {'loss_cls', 'loss_bbox', 'loss_mask', 'd0.loss_cls'} <= set(losses)
    # Three decoder layers, the last one without a prefix.
    assert 'd1.loss_cls' in losses and 'd2.loss_cls' not in losses
    sum(losses.values()).backward()
    without = {
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    }
    # Proxies read the words, not the sentence that the pooler makes.
    assert {name.rsplit('.', 1)[0] for name in without} <= {
        'text_encoder.model.pooler.dense'
    }
    model.zero_grad()


def test_jsc_takes_the_matched_proxies(model, monkeypatch):
    """Averaged over time; words and pixels averaged without padding."""
    seen = {}

    def watch(queries, video, text):
        seen.update(queries=queries, video=video, text=text)
        return queries.sum() * 0

    monkeypatch.setattr(model.jsc, 'forward', watch)
    samples, frames = make_samples(), draw_frames()
    video, references = model.encode_batch(frames, samples)
    decoded = model.decode_video(video, references)
    model.extra_losses(decoded, torch.tensor([[1, 1], [0, 2], [2, 0]]))
    proxies = decoded.extras['proxies']
    assert proxies.shape == (2, NUM_FRAMES, 3, model.embed_dims)
    torch.testing.assert_close(
        seen['queries'],
        torch.stack((proxies[0, :, 2].mean(0), proxies[1, :, 0].mean(0))),
    )
    tokens = references.only()
    for clip in range(2):
        words = tokens.tokens[clip][~tokens.padding_mask[clip]]
        torch.testing.assert_close(seen['text'][clip], words.mean(0))
    torch.testing.assert_close(
        seen['video'], decoded.extras['pixels'].x.mean((1, 2))
    )


def test_no_jsc_has_no_loss_and_no_weights():
    model = build_model(CONFIG, {'model.jsc': None, **OPTIONS})
    model.init_weights()
    losses = model.loss(draw_frames(), make_samples())
    assert not [name for name in losses if 'jsc' in name]
    assert not [name for name in model.state_dict() if 'jsc' in name]


def outputs_of(model, frames, shapes, texts):
    references = [Reference(str(i), text=t) for i, t in enumerate(texts)]
    # In 16 bits, rounding would depend on the batch.
    with torch.no_grad(), model.test_options(compact_features=False):
        video = model.encode_video(frames, shapes)
        layers = model.refer(video, model.encode_references(references))
    return layers[-1].scores, layers[-1].bboxes, layers[-1].masks


def test_a_batch_is_its_clips_alone(model):
    """Words of other lengths beside it change nothing of a clip."""
    frames, shapes = draw_frames(), [SIZE, SIZE]
    together = outputs_of(model, frames, shapes, TEXTS)
    for clip in range(2):
        alone = outputs_of(
            model, frames[[clip]], shapes[:1], TEXTS[clip : clip + 1]
        )
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(
                ours[[clip]], theirs, rtol=1e-4, atol=1e-4
            )


def test_padded_pixels_change_nothing(model):
    """Whatever stands in the padding, at every level."""
    shapes = [(32, 64), SIZE]
    frames = draw_frames()
    references = model.encode_references(
        [Reference(str(i), text=text) for i, text in enumerate(TEXTS)]
    )
    found = []
    for noise in (0.0, 5.0):
        with torch.no_grad():
            video = model.encode_video(frames, shapes)
            decoded = model.decode_video(disturb(video, noise), references)
        found.append((decoded.states, decoded.extras['proxies']))
        found[-1] += (decoded.extras['pixels'].pooled(),)
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def disturb(video: VideoFeatures, noise: float) -> VideoFeatures:
    """Add a number to the pixels of the projected levels' padding."""
    levels = []
    for level in video.levels:
        padded = level.padding_mask.repeat_interleave(video.num_frames, 0)
        changed = level.values() + noise * padded[:, None]
        levels.append(replace(level, features=changed, ranges=None))
    return replace(video, levels=levels)


def test_words_reach_the_masks(model):
    frames, shapes = draw_frames(1), [SIZE]
    first, second = (
        outputs_of(model, frames, shapes, [text]) for text in TEXTS
    )
    for ours, theirs in zip(first, second, strict=True):
        assert not torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize('reductions', [(1,), (2, 1), (3, 2, 1), (4, 2, 1, 1)])
def test_levels_and_reductions_by_choice(reductions):
    """An interaction that changes nothing leaves the memory as it is."""
    options = {**OPTIONS, 'model.cmie_reductions': reductions}
    model = build_model(CONFIG, options)
    with torch.no_grad():
        video = model.encode_video(draw_frames(), [SIZE, SIZE])
        tokens = model.encode_references(
            [Reference(str(i), text=text) for i, text in enumerate(TEXTS)]
        ).only()
        memory, _ = model.encode(video, tokens)
        levels = model.memory_levels(memory, video)
        coarse = model.coarse_pixels(levels)
        places, mask = model.coarse_places(video)
        assert places.shape == (2, coarse.shape[1], model.embed_dims)
        assert mask is None
        same = model.changed(levels, torch.zeros_like(coarse))
        torch.testing.assert_close(same, memory)
        shifted = model.changed(levels, torch.ones_like(coarse))
        count = sum(
            level.positions[0, 0].numel()
            for level in levels[-len(reductions) :]
        )
        torch.testing.assert_close(shifted[:, -count:], memory[:, -count:] + 1)
        torch.testing.assert_close(shifted[:, :-count], memory[:, :-count])
