"""ReferFormer as a whole, small and untrained."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.runner import load_checkpoint
from pycocotools import mask as rle_codec

from refvos.models.segmentors.base import to_original_boxes
from refvos.structures import Reference
from tests.builders import build_model, make_sample

CONFIG = 'configs/_base_/models/referformer_mini.py'
NUM_FRAMES = 2
LARGE, SMALL = (64, 96), (40, 72)
TEXTS = ['the red circle on the left', 'a small green square']


def build(num_queries=5):
    torch.manual_seed(0)
    model = build_model(CONFIG, {'model.num_queries': num_queries})
    model.init_weights()
    for branch in model.box_branches:
        # Zero at the start; then all boxes would be alike.
        torch.nn.init.normal_(branch.layers[-1].weight, std=0.05)
    return model.eval()


@pytest.fixture(scope='module')
def model():
    return build()


def draw_clip(size, index):
    generator = torch.Generator().manual_seed(index)
    shape = (NUM_FRAMES, 3, *size)
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)


def draw_sample(size, index):
    """Its object is hidden in the last frame."""
    masks = np.zeros((NUM_FRAMES, *size), bool)
    masks[:-1, 8:30, 10:40] = True
    reference = Reference(str(index), text=TEXTS[index])
    return make_sample(masks, references=[reference])


def make_batch(model, sizes, training=False):
    data = {
        'inputs': [draw_clip(size, i) for i, size in enumerate(sizes)],
        'data_samples': [draw_sample(size, i) for i, size in enumerate(sizes)],
    }
    data = model.data_preprocessor(data, training)
    return data['inputs'], data['data_samples']


def last_layer(model, inputs, samples):
    with torch.no_grad():
        return model(inputs, samples, mode='tensor')[-1]


def assert_same_clip(batch, alone, index=0):
    # Mask logits reach tens: places are in pixels.
    for name, tolerance in (
        ('scores', 1e-5),
        ('bboxes', 1e-5),
        ('masks', 1e-4),
    ):
        ours, theirs = getattr(batch, name)[index], getattr(alone, name)[0]
        assert (ours - theirs).abs().max() < tolerance, name


def test_shapes_of_outputs(model):
    inputs, samples = make_batch(model, [LARGE, LARGE])
    layers = model(inputs, samples, mode='tensor')
    assert len(layers) == model.decoder.num_layers
    for layer in layers:
        assert layer.scores.shape == (2, NUM_FRAMES, 5, 1)
        assert layer.bboxes.shape == (2, NUM_FRAMES, 5, 4)
        assert layer.masks.shape == (2, NUM_FRAMES, 5, 16, 24)
        assert layer.bboxes.min() > 0 and layer.bboxes.max() < 1


def test_clip_in_a_batch_is_the_clip_alone(model):
    inputs, samples = make_batch(model, [LARGE, LARGE])
    batch = last_layer(model, inputs, samples)
    for i in (0, 1):
        alone = last_layer(model, inputs[i : i + 1], samples[i : i + 1])
        assert_same_clip(batch, alone, i)
    assert (batch.scores[0] - batch.scores[1]).abs().max() > 1e-3


def test_a_smaller_clip_beside_it_changes_nothing(model):
    inputs, samples = make_batch(model, [LARGE, SMALL])
    assert inputs.shape[-2:] == LARGE
    batch = last_layer(model, inputs, samples)
    assert_same_clip(batch, last_layer(model, inputs[:1], samples[:1]))


def test_padding_is_masked_in_attention(model):
    """What lies in the padding of the levels reaches no query.

    Convolutions and group norms do mix padding into frames: in the
    backbone, the projections and the pyramid. Pixels there are zero after
    normalisation, as in the published code, so that a padded clip's answer
    is not exactly that of the clip alone there either; attention must not
    add to it.
    """
    inputs, samples = make_batch(model, [LARGE, SMALL])
    shapes = [sample.img_shape for sample in samples]
    references = [sample.references[0] for sample in samples]
    with torch.no_grad():
        video = model.encode_video(inputs, shapes)
        tokens = model.encode_references(references).only()
        before = run_queries(model, video, tokens)
        levels = [fill_padding(level) for level in video.levels]
        after = run_queries(model, replace(video, levels=levels), tokens)
        assert any(
            not torch.equal(a.features, b.values())
            for a, b in zip(levels, video.levels, strict=True)
        )
    for ours, theirs in zip(after, before, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def fill_padding(level):
    mask = level.padding_mask.repeat_interleave(NUM_FRAMES, 0)[:, None]
    values = level.values()
    noise = 10 * torch.randn_like(values)
    return replace(
        level, features=torch.where(mask, noise, values), ranges=None
    )


def run_queries(model, video, tokens):
    """Decoder states, boxes, and the memory where there are frames."""
    memory, flat = model.encode(video, tokens)
    states, references = model.decode(
        memory, flat, model.query_content(video, tokens)
    )
    padding = flat['key_padding_mask']
    return states, references[-1], memory[~padding]


def test_words_matter_and_their_padding_does_not(model):
    inputs, samples = make_batch(model, [LARGE, LARGE])
    alone = last_layer(model, inputs[:1], samples[:1])
    other = copy.copy(samples[0])
    other.references = samples[1].references
    changed = last_layer(model, inputs[:1], [other])
    assert (alone.scores - changed.scores).abs().max() > 1e-3
    # The first text is the longer one: the second is padded beside it.
    batch = last_layer(model, inputs, samples)
    assert_same_clip(
        batch, last_layer(model, inputs[1:], samples[1:]), index=1
    )


def test_frames_share_their_queries(model):
    """A clip of one frame twice has the same answer in both."""
    inputs, samples = make_batch(model, [LARGE])
    inputs[:, 1] = inputs[:, 0]
    layer = last_layer(model, inputs, samples)
    for x in (layer.scores, layer.bboxes, layer.masks):
        torch.testing.assert_close(x[:, 0], x[:, 1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('num_queries', [1, 5])
def test_every_parameter_is_trained(num_queries):
    """Else DistributedDataParallel waits for gradients that never come."""
    model = build(num_queries).train()
    inputs, samples = make_batch(model, [LARGE, SMALL], training=True)
    assert inputs.shape[-2:] == LARGE
    losses = model(inputs, samples, mode='loss')
    assert len(losses) == 5 * model.decoder.num_layers
    total, logged = model.parse_losses(losses)
    assert torch.isfinite(total)
    # Untrained, "referred" has the probability 0.01 and the mask half.
    assert logged['loss_cls'].item() > 0.5
    # Zero at the start, deformable attention does not see its queries.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    losses = model(inputs, samples, mode='loss')
    model.parse_losses(losses)[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad, name
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    silent = [n for n, p in model.named_parameters() if not p.grad.any()]
    # A key's bias moves all scores of a query alike: softmax forgets it.
    assert sorted(n for n in silent if 'key.bias' not in n) == []


@pytest.mark.parametrize('num_queries', [1, 5])
@pytest.mark.parametrize('frame_chunk', [1, 8])
def test_prediction_is_the_best_trajectory(num_queries, frame_chunk):
    model = build(num_queries)
    model.test_cfg = model.test_cfg.changed(frame_chunk=frame_chunk)
    inputs, samples = make_batch(model, [LARGE])
    samples[0].set_metainfo({'ori_shape': (100, 151)})
    layer = last_layer(model, inputs, samples)
    probabilities = layer.scores[0, :, :, 0].sigmoid()  # (T, N)
    best = int(probabilities.mean(0).argmax())
    logits = F.interpolate(
        layer.masks[0, :, best][:, None],
        (100, 151),
        mode='bilinear',
        align_corners=False,
    )[:, 0]

    (sample,) = model(inputs, samples, mode='predict')
    (prediction,) = sample.predictions
    assert prediction.reference is samples[0].references[0]
    assert [rle['size'] for rle in prediction.masks] == [[100, 151]] * 2
    drawn = np.stack([rle_codec.decode(rle) for rle in prediction.masks])
    clear = logits.abs().numpy() > 1e-3
    assert clear.mean() > 0.9
    assert ((drawn > 0) == (logits > 0).numpy())[clear].all()
    assert prediction.frame_scores == pytest.approx(
        probabilities[:, best].tolist(), abs=1e-5
    )
    assert prediction.score == pytest.approx(
        float(probabilities[:, best].mean()), abs=1e-5
    )
    center, extent = layer.bboxes[0, :, best].split(2, -1)
    corners = torch.cat((center - extent / 2, center + extent / 2), -1)
    expected = corners * torch.tensor([151, 100, 151, 100])
    assert (torch.tensor(prediction.bboxes) - expected).abs().max() < 1e-2


def test_boxes_at_the_frames_own_size():
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.0, 1.0, 0.5, 0.1]])
    first, second = to_original_boxes(boxes, (100, 200))
    assert first == pytest.approx([80, 30, 120, 70], abs=1e-4)
    # What reaches beyond the frame stays.
    assert second == pytest.approx([-50, 95, 50, 105], abs=1e-4)
    assert to_original_boxes(None, (100, 200)) == []


class GivenScores(torch.nn.Module):
    """Query 1 wins the first frame, query 3 the clip."""

    logits = torch.tensor([[0.0, 3, 0, 2, 1], [0, -3, 0, 2, 1]])

    def forward(self, states):
        return self.logits[..., None].expand(*states.shape[:-1], 1)


def test_the_clip_decides_which_query_is_best(monkeypatch):
    model = build()
    monkeypatch.setitem(
        model.class_branches._modules,
        str(len(model.class_branches) - 1),
        GivenScores(),
    )
    inputs, samples = make_batch(model, [LARGE])
    layer = last_layer(model, inputs, samples)
    with torch.no_grad():
        video = model.encode_video(inputs, [LARGE])
        tokens = model.encode_references(samples[0].references)
        answer = model.answer(video, tokens)
    assert (answer.masks - layer.masks[0, :, 3]).abs().max() < 1e-4
    assert (answer.bboxes - layer.bboxes[0, :, 3]).abs().max() < 1e-5
    assert answer.scores.tolist() == pytest.approx([0.880797] * 2)


def test_all_references_of_a_video_are_answered(model):
    inputs, samples = make_batch(model, [LARGE])
    references = [
        Reference('a', text=TEXTS[0]),
        Reference('b', text=TEXTS[1]),
    ]
    samples[0].references = references
    (sample,) = model(inputs, samples, mode='predict')
    assert [p.reference.id for p in sample.predictions] == ['a', 'b']
    for reference, prediction in zip(
        references, sample.predictions, strict=True
    ):
        samples[0].references = [reference]
        (alone,) = model(inputs, samples, mode='predict')
        assert alone.predictions[0].masks == prediction.masks
        assert alone.predictions[0].score == prediction.score


def test_weights_go_round(model, tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    torch.manual_seed(7)
    other = build_model(CONFIG, {'model.num_queries': 5})
    inputs, samples = make_batch(model, [LARGE])
    load_checkpoint(other, str(path), strict=True)
    ours = last_layer(model, inputs, samples)
    theirs = last_layer(other, inputs, samples)
    assert torch.equal(ours.masks, theirs.masks)
    assert torch.equal(ours.scores, theirs.scores)


def test_modes(model):
    inputs, samples = make_batch(model, [LARGE])
    with pytest.raises(ValueError, match="'guess'; expected loss"):
        model(inputs, samples, mode='guess')
    with pytest.raises(ValueError, match='data_samples is None'):
        model(inputs)


def test_classes_by_name():
    """Table D1: the likeliest category's probability is the score."""
    torch.manual_seed(0)
    model = build_model(CONFIG, {'model.num_classes': 65})
    model.init_weights()
    for branch in model.class_branches:
        torch.nn.init.normal_(branch.bias)
    inputs, samples = make_batch(model.train(), [LARGE], training=True)
    for frame in samples[0]:
        frame.gt_instances.labels += 64
    losses = model(inputs, samples, mode='loss')
    assert all(torch.isfinite(value) for value in losses.values())
    model.eval()
    inputs, samples = make_batch(model, [LARGE])
    layer = last_layer(model, inputs, samples)
    assert layer.scores.shape == (1, NUM_FRAMES, 1, 65)
    likeliest = layer.scores[0, :, 0].sigmoid().amax(-1)
    (sample,) = model(inputs, samples, mode='predict')
    assert sample.predictions[0].frame_scores == pytest.approx(
        likeliest.tolist(), abs=1e-5
    )


# ------------------------------------------------------- target frames


class SeesClips(torch.nn.Module):
    """A backbone whose maps hold something of all frames of the clip."""

    takes_clips = True

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, clips):
        num_frames = clips.shape[1]
        return [
            (x + x.mean(1, keepdim=True)).flatten(0, 1)
            for x in (
                level.unflatten(0, (-1, num_frames))
                for level in self.backbone(clips.flatten(0, 1))
            )
        ]


@pytest.fixture(params=['frames', 'clips'])
def any_model(request):
    model = build()
    if request.param == 'clips':
        model.backbone = SeesClips(model.backbone)
    return model


def ask_for(samples, *indices):
    """Let each clip ask for some of its frames, with their truth alone."""
    asked = []
    for sample, chosen in zip(samples, indices, strict=True):
        sample = sample.clone()
        sample.set_metainfo(
            {
                'target_frames': chosen,
                'frame_ids': [sample.frame_ids[i] for i in chosen],
            }
        )
        sample.video_data_samples = [sample[i] for i in chosen]
        asked.append(sample)
    return asked


def test_the_backbone_sees_the_window_and_the_rest_the_targets(any_model):
    inputs, _ = make_batch(any_model, [LARGE, LARGE])
    with torch.no_grad():
        whole = any_model.encode_video(inputs, [LARGE, LARGE])
        some = any_model.encode_video(inputs, [LARGE, LARGE], [[1], [0]])
    assert (whole.num_frames, some.num_frames) == (NUM_FRAMES, 1)
    levels = [whole.high_resolution, *whole.levels]
    kept = [some.high_resolution, *some.levels]
    for ours, theirs in zip(kept, levels, strict=True):
        # Frame 1 of the first clip, frame 0 of the second.
        expected = theirs.values()[[1, NUM_FRAMES]]
        torch.testing.assert_close(
            ours.values(), expected, rtol=1e-4, atol=1e-5
        )
    # What is no target matters just to a backbone that sees clips.
    inputs[0, 0] = 0
    with torch.no_grad():
        other = any_model.encode_video(inputs, [LARGE, LARGE], [[1], [0]])
    change = (other.levels[0].values()[0] - some.levels[0].values()[0]).abs()
    assert (change.max() > 1e-2) == any_model.takes_clips


def test_clips_of_a_batch_ask_for_their_own_frames(any_model):
    inputs, samples = make_batch(any_model, [LARGE, LARGE])
    samples = ask_for(samples, [1], [0])
    batch = last_layer(any_model, inputs, samples)
    assert batch.scores.shape == (2, 1, 5, 1)
    for i in (0, 1):
        alone = last_layer(any_model, inputs[i : i + 1], samples[i : i + 1])
        assert_same_clip(batch, alone, i)


def test_target_frames_of_still_clips_are_clips_of_their_own(model):
    """Without a view of the clip, the others might as well not be there."""
    inputs, samples = make_batch(model, [LARGE])
    alone = ask_for(samples, [0])
    asked = last_layer(model, inputs, alone)
    alone[0].set_metainfo({'target_frames': None})
    single = last_layer(model, inputs[:, :1], alone)
    assert_same_clip(asked, single)


def test_losses_are_those_of_the_target_frames(any_model):
    inputs, samples = make_batch(any_model, [LARGE, LARGE], training=True)
    samples = ask_for(samples, [0], [0])
    losses = any_model(inputs, samples, mode='loss')
    layers = any_model(inputs, samples, mode='tensor')
    assert layers[-1].masks.shape[:2] == (2, 1)
    # The same loss, given the outputs for the target frames alone.
    expected, _ = any_model.set_loss(layers, samples, LARGE)
    assert set(losses) == set(expected)
    for name, value in losses.items():
        assert value.item() == pytest.approx(expected[name].item(), rel=1e-4)
    assert losses['loss_dice'].item() > 0


def test_predictions_have_the_target_frames_masks(any_model):
    inputs, samples = make_batch(any_model, [LARGE, LARGE])
    predicted = any_model(inputs, ask_for(samples, [1], [0]), mode='predict')
    layer = last_layer(any_model, inputs, ask_for(samples, [1], [0]))
    for clip, sample in enumerate(predicted):
        (prediction,) = sample.predictions
        assert len(prediction.masks) == len(prediction.frame_scores) == 1
        best = layer.scores[clip, 0, :, 0].sigmoid().max().item()
        assert prediction.score == pytest.approx(best, abs=1e-5)


def test_a_batch_asks_for_as_many_frames_of_every_clip(model):
    inputs, samples = make_batch(model, [LARGE, LARGE])
    samples = ask_for(samples, [1], [0, 1])
    message = r'target_frames of the batch are \[\[1\], \[0, 1\]\]; expected'
    with pytest.raises(ValueError, match=message):
        model(inputs, samples)
    # All frames, said or not.
    said = ask_for(samples[1:], [0, 1])
    assert last_layer(model, inputs[:1], said).masks.shape[1] == 2


@pytest.mark.parametrize('num_queries', [1, 5])
def test_candidates_are_all_queries(num_queries):
    model = build(num_queries)
    inputs, samples = make_batch(model, [LARGE])
    (plain,) = model(inputs, samples, mode='predict')[0].predictions
    assert plain.candidates == []
    with model.test_options(candidates=-1):
        (kept,) = model(inputs, samples, mode='predict')[0].predictions
    layer = last_layer(model, inputs, samples)
    scores = layer.scores[0, :, :, 0].sigmoid().mean(0)  # (N,)
    assert [c.score for c in kept.candidates] == pytest.approx(
        scores.tolist(), abs=1e-5
    )
    logits = F.interpolate(
        layer.masks[0], LARGE, mode='bilinear', align_corners=False
    )
    for query, candidate in enumerate(kept.candidates):
        drawn = np.stack([rle_codec.decode(rle) for rle in candidate.masks])
        clear = logits[:, query].abs().numpy() > 1e-3
        expected = logits[:, query].numpy() > 0
        assert ((drawn > 0) == expected)[clear].all()
        boxes = layer.bboxes[0, :, query] * torch.tensor(LARGE[::-1] * 2)
        wide = boxes[:, 2].tolist()
        assert [x2 - x1 for x1, _, x2, _ in candidate.bboxes] == (
            pytest.approx(wide, abs=1e-3)
        )
    best = kept.candidates[int(scores.argmax())]
    assert kept.score == best.score == pytest.approx(plain.score, abs=1e-6)
    assert kept.masks == best.masks
    assert kept.bboxes == best.bboxes


def test_the_best_candidates_in_the_order_of_the_queries():
    model = build(5)
    inputs, samples = make_batch(model, [LARGE])
    scores = {}
    for count in (-1, 2, 9):
        with model.test_options(candidates=count):
            (found,) = model(inputs, samples, mode='predict')[0].predictions
        scores[count] = [each.score for each in found.candidates]
        assert found.score == max(scores[count])
    assert scores[9] == scores[-1] and len(scores[9]) == 5
    best = sorted(scores[-1])[-2:]
    assert scores[2] == [each for each in scores[-1] if each in best]
