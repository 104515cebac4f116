"""What a model answers does not depend on how many frames go in at once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pycocotools import mask as rle_codec

from refvos.errors import InputError
from refvos.structures import FeatureLevel, Reference
from tests.builders import build_model, make_sample

SIZE = (64, 96)
NUM_FRAMES = 5
REFERENCES = [
    Reference('0', text='the red circle on the left'),
    Reference('1', text='a small green square'),
]
MODELS = {
    'resnet': 'configs/mini/referformer_mini.py',
    'five-queries': 'configs/mini/ablations/referformer_mini_n5.py',
    'no-words-in-fpn': (
        'configs/mini/ablations/referformer_mini_no-fpn-fusion.py'
    ),
    'bottom-up': 'configs/mini/ablations/bottom-up_mini.py',
    'swin': 'configs/mini/referformer_mini.py',
    'video-swin': 'configs/mini/referformer_mini.py',
    'mutr': 'configs/mini/mutr_mini_text.py',
    'mutr-published': 'configs/mini/mutr_mini_text.py',
    'proxyformer': 'configs/mini/proxyformer_mini.py',
    'proxyformer-joint': 'configs/mini/proxyformer_mini.py',
}
SWIN = dict(
    _delete_=True,
    embed_dims=16,
    depths=(1, 1, 2, 1),
    num_heads=(1, 2, 4, 8),
    drop_path_rate=0.0,
)
OPTIONS = {
    'swin': {
        'model.backbone': dict(
            type='FrameSwinTransformer', window_size=4, **SWIN
        )
    },
    'video-swin': {
        'model.backbone': dict(
            type='VideoSwinTransformer', window_size=(2, 4, 4), **SWIN
        )
    },
    'mutr-published': {'model.published_habits': True},
    'proxyformer-joint': {'model.cmie.joint': True, 'model.num_queries': 3},
}


@pytest.fixture(scope='module', params=list(MODELS))
def built(request):
    torch.manual_seed(0)
    model = build_model(MODELS[request.param], OPTIONS.get(request.param))
    model.init_weights()
    # Zero at the start: offsets of the sampling points, boxes, ...
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if 'backbone' not in name:
                parameter += 0.02 * torch.randn_like(parameter)
    return model.eval()


@pytest.fixture
def model(built):
    return built


def draw_video():
    generator = torch.Generator().manual_seed(0)
    shape = (NUM_FRAMES, 3, *SIZE)
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)


def predict(model, frame_chunk, references=REFERENCES):
    sample = make_sample(
        np.zeros((NUM_FRAMES, *SIZE), bool), references=list(references)
    )
    batch = {'inputs': [draw_video()], 'data_samples': [sample]}
    with model.test_options(frame_chunk=frame_chunk):
        (sample,) = model.test_step(batch)
    return sample.predictions


def answer(model, frame_chunk):
    with torch.no_grad(), model.test_options(frame_chunk=frame_chunk):
        video = model.encode_video(draw_video()[None], [SIZE])
        return model.answer(video, model.encode_references(REFERENCES[:1]))


def test_a_test_computes_what_is_trained(model):
    """In parts and without gradients as in one and with: the same masks."""
    references = model.encode_references(REFERENCES)
    outputs = []
    for trained in (True, False):
        with (
            torch.set_grad_enabled(trained),
            model.test_options(frame_chunk=2),
        ):
            video = model.encode_video(draw_video()[None], [SIZE])
            found = model.refer(video.repeated([2]), references)
        outputs.append(found)
    with_gradients, without = outputs
    if isinstance(without, torch.Tensor):
        pairs = [(with_gradients, without)]
    else:
        pairs = [
            (getattr(ours, name), getattr(theirs, name))
            for ours, theirs in zip(with_gradients, without, strict=True)
            for name in ('scores', 'bboxes', 'masks')
        ]
    for ours, theirs in pairs:
        assert ours.requires_grad and not theirs.requires_grad
        torch.testing.assert_close(ours.detach(), theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('frame_chunk', [1, 2, 3])
def test_the_answer_does_not_depend_on_the_chunk(model, frame_chunk):
    whole, parts = answer(model, NUM_FRAMES), answer(model, frame_chunk)
    for name in ('masks', 'scores', 'bboxes'):
        ours, theirs = getattr(parts, name), getattr(whole, name)
        if theirs is None:
            assert ours is None
            continue
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_eight_references_need_the_backbone_once(model):
    """And no more frames at once than asked."""
    seen = []
    hook = model.backbone.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].shape[:-3].numel())
    )
    references = [replace(REFERENCES[i % 2], id=str(i)) for i in range(8)]
    predictions = predict(model, 2, references)
    hook.remove()
    assert len(predictions) == 8
    # Video-Swin's windows reach over the frames of a clip.
    assert seen == ([5] if model.takes_clips else [2, 2, 1])


def test_the_whole_clip_goes_in_where_gradients_are_wanted(model):
    with torch.enable_grad(), model.test_options(frame_chunk=2):
        assert model.frames_at_once(NUM_FRAMES) == NUM_FRAMES
    with torch.no_grad(), model.test_options(frame_chunk=2):
        assert model.frames_at_once(NUM_FRAMES) == 2
        assert model.frames_at_once(1) == 1


def test_predictions_are_those_of_the_raw_outputs(model):
    """The short cuts of ``answer`` change nothing that can be seen."""
    predictions = predict(model, 2)
    for prediction, reference in zip(predictions, REFERENCES, strict=True):
        (alone,) = predict(model, NUM_FRAMES, [reference])
        ours, theirs = (
            np.stack([rle_codec.decode(rle) for rle in each.masks])
            for each in (prediction, alone)
        )
        assert (ours != theirs).mean() < 1e-3
        assert prediction.score == pytest.approx(alone.score, abs=1e-4)


def test_features_wait_where_they_are_told_to(model):
    """Answers are the same; positions stay with the model."""
    here = answer(model, 2)
    with model.test_options(features_on='cpu'):
        there = answer(model, 2)
    # A device without values shows where they go, on any machine.
    with model.test_options(features_on='meta'):
        with torch.no_grad():
            video = model.encode_video(draw_video()[None], [SIZE])
        with torch.enable_grad():
            trained = model.encode_video(draw_video()[None], [SIZE])
    assert torch.equal(here.masks, there.masks)
    for level in (video.high_resolution, *video.levels):
        assert level.features.device.type == 'meta'
        assert level.positions.device.type == 'cpu'
    assert video.high_resolution.ranges.device.type == 'meta'
    for level in (trained.high_resolution, *trained.levels):
        assert level.features.device.type == 'cpu'


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match="features_on is 'gpuu'"):
        build_model(MODELS['resnet'], {'model.test_cfg.features_on': 'gpuu'})


def test_what_waits_between_two_passes_is_small():
    """16 bits, and codes come back as they were within a step."""
    level = FeatureLevel(
        torch.randn(2, 3, 4, 5), torch.zeros(1, 3, 4, 5), None
    )
    packed = level.packed()
    assert packed.features.dtype == torch.int16
    torch.testing.assert_close(
        packed.values(), level.features, rtol=0, atol=1e-4
    )
    assert packed.packed() is packed
