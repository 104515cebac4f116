"""The best frame's mask, carried through the video by a tiny SAM 2."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as rle_codec
from safetensors.torch import load_file, save_file

from refvos.models import SAM2Propagation
from refvos.models.post_process.sam2_propagation import (
    FramesOnDemand,
    best_frame,
    box_of,
    innermost_pixel,
)
from refvos.structures import RefDataSample, Reference, ReferencePrediction
from tests.builders import build_model, message_of

from .test_referformer import CONFIG, LARGE, make_batch
from .tiny_sam2 import SIDE, save_tiny_sam2

SIZE = (40, 60)
T = 5


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sam2')
    save_tiny_sam2(folder)
    return folder


@pytest.fixture(scope='module')
def propagation(folder):
    return SAM2Propagation(str(folder))


def encode(mask):
    return rle_codec.encode(np.asfortranarray(mask, np.uint8))


def decode(prediction):
    masks = [rle_codec.decode(rle) for rle in prediction.masks]
    return np.stack(masks).astype(bool)


def rectangle(top, bottom, left, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


EMPTY = rectangle(0, 0, 0, 0)
FIRST, SECOND = rectangle(10, 20, 12, 30), rectangle(5, 35, 40, 55)


def predict(masks, scores):
    return ReferencePrediction(
        Reference('0', text='it'),
        [encode(mask) for mask in masks],
        float(np.mean(scores)),
        list(scores),
    )


def predicted_sample(*predictions, **metainfo):
    sample = RefDataSample(
        metainfo={'ori_shape': SIZE, 'img_shape': SIZE, **metainfo}
    )
    sample.predictions = [copy.deepcopy(p) for p in predictions]
    return sample


def draw_frames(num_frames=T, size=SIZE):
    generator = torch.Generator().manual_seed(0)
    shape = (num_frames, 3, *size)
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)


def first_wins():
    return predict([EMPTY, EMPTY, FIRST, EMPTY, EMPTY], [0.1, 0.2, 0.9, 0, 0])


def second_wins():
    return predict([SECOND] * T, [0.5, 0.2, 0.1, 0, 0.8])


# -------------------------------------------------------- where it starts from


def test_best_frame_has_a_mask():
    masks = [FIRST, EMPTY, SECOND, SECOND]
    assert best_frame(predict(masks, [0.3, 0.9, 0.5, 0.4])) == 2
    assert best_frame(predict([EMPTY] * 4, [0.3, 0.9, 0.5, 0.4])) is None


def test_box_and_innermost_pixel_by_hand():
    assert box_of(FIRST) == [12, 10, 30, 20]
    mask = rectangle(10, 15, 20, 25) | rectangle(0, 3, 0, 40)
    # The centre of the 5 x 5 square; the strip is 3 high.
    assert innermost_pixel(mask) == [22, 12]
    # At the frame's border a mask ends, too: 3 rows from the centre.
    assert innermost_pixel(rectangle(0, 5, 0, 5)) == [2, 2]


def visited(model):
    """Note the frames that the model is asked for."""
    frames = []

    def note(module, args, kwargs):
        frames.append((kwargs['frame_idx'], kwargs['reverse']))

    return frames, model.register_forward_pre_hook(note, with_kwargs=True)


def test_frames_are_visited_both_ways(propagation):
    propagation.load(torch.device('cpu'))
    frames, hook = visited(propagation.model)
    propagation(predicted_sample(first_wins()), draw_frames())
    hook.remove()
    assert frames == [
        *((2, False), (3, False), (4, False)),
        *((2, True), (1, True), (0, True)),
    ]


@pytest.mark.parametrize('start', [0, T - 1])
def test_from_an_end_there_is_one_way(propagation, start):
    propagation.load(torch.device('cpu'))
    scores = [0.1] * T
    scores[start] = 0.9
    frames, hook = visited(propagation.model)
    sample = predicted_sample(predict([FIRST] * T, scores))
    propagation(sample, draw_frames())
    hook.remove()
    assert {index for index, _ in frames} == set(range(T))
    assert len(sample.predictions[0].masks) == T


# ---------------------------------------------------------------- what it says


def test_masks_change_but_for_the_prompt(propagation):
    given = first_wins()
    sample = predicted_sample(given)
    propagation(sample, draw_frames())
    (prediction,) = sample.predictions
    assert [rle['size'] for rle in prediction.masks] == [list(SIZE)] * T
    masks = decode(prediction)
    assert (masks[2] == FIRST).all()
    for index in (0, 1, 3, 4):
        # They were empty; the tiny model draws something else than the
        # prompt.
        assert masks[index].any()
        assert (masks[index] != FIRST).any()
    assert prediction.score == given.score
    assert prediction.frame_scores == given.frame_scores


def test_memory_of_the_prompt_reaches_the_frames(propagation):
    """The same frames, another prompt: another track."""
    answers = []
    for mask in (FIRST, SECOND):
        masks = [EMPTY, EMPTY, mask, EMPTY, EMPTY]
        sample = predicted_sample(predict(masks, [0, 0, 1, 0, 0]))
        propagation(sample, draw_frames())
        answers.append(decode(sample.predictions[0]))
    for index in (0, 1, 3, 4):
        assert (answers[0][index] != answers[1][index]).any()


def test_nothing_to_propagate(propagation):
    given = predict([EMPTY] * T, [0.9] * T)
    sample = predicted_sample(given)
    propagation(sample, draw_frames())
    assert sample.predictions[0].masks == given.masks


def test_a_single_frame_keeps_its_mask(propagation):
    sample = predicted_sample(predict([FIRST], [0.9]))
    propagation(sample, draw_frames(1))
    assert (decode(sample.predictions[0])[0] == FIRST).all()


def test_identity_gives_the_prompt_everywhere(folder, monkeypatch):
    """The right half of 64 x 64, which SAM 2's stride-4 masks hold exactly."""
    propagation = SAM2Propagation(str(folder))
    propagation.load(torch.device('cpu'))
    half = np.zeros((SIDE, SIDE), bool)
    half[:, SIDE // 2 :] = True

    def identity(session, start_frame_idx, reverse):
        (given,) = session.mask_inputs_per_obj[0].values()
        low = torch.nn.functional.avg_pool2d(given, 4) * 20 - 10
        stop = -1 if reverse else session.num_frames
        for index in range(start_frame_idx, stop, -1 if reverse else 1):
            yield type('Output', (), {'frame_idx': index, 'pred_masks': low})()

    monkeypatch.setattr(
        propagation.model, 'propagate_in_video_iterator', identity
    )
    masks = [np.zeros_like(half), half, np.zeros_like(half)]
    sample = predicted_sample(
        predict(masks, [0, 1, 0]), ori_shape=half.shape, img_shape=half.shape
    )
    propagation(sample, draw_frames(3, half.shape))
    assert (decode(sample.predictions[0]) == half).all()


def count_encoded(propagation):
    seen = []
    hook = propagation.model.vision_encoder.register_forward_hook(
        lambda *_: seen.append(1)
    )
    return seen, hook


def test_a_frame_is_encoded_once_for_all_references(folder, propagation):
    """And the answers are those of one reference after another."""
    both = predicted_sample(first_wins(), second_wins())
    propagation.load(torch.device('cpu'))
    seen, hook = count_encoded(propagation)
    propagation(both, draw_frames())
    hook.remove()
    assert len(seen) == T
    uncached = SAM2Propagation(str(folder), cached_frames=T - 1)
    uncached.load(torch.device('cpu'))
    seen, hook = count_encoded(uncached)
    for index, given in enumerate((first_wins(), second_wins())):
        alone = predicted_sample(given)
        uncached(alone, draw_frames())
        assert alone.predictions[0].masks == both.predictions[index].masks
    hook.remove()
    assert len(seen) == 2 * T


@pytest.mark.parametrize(
    ('prompt', 'given'),
    [
        # Pixels of 60 x 40, brought to 64 x 64; 2 and 3 are a box's corners.
        ('box', ([[12, 10], [30, 20]], [2, 3])),
        ('points', ([[16, 14]], [1])),
    ],
)
def test_other_prompts(folder, monkeypatch, prompt, given):
    propagation = SAM2Propagation(str(folder), prompt)
    propagation.load(torch.device('cpu'))
    told = {}
    start = propagation.model.propagate_in_video_iterator

    def listen(session, **kwargs):
        told.update(session.point_inputs_per_obj[0])
        assert session.mask_inputs_per_obj[0] == {}
        yield from start(session, **kwargs)

    monkeypatch.setattr(
        propagation.model, 'propagate_in_video_iterator', listen
    )
    sample = predicted_sample(first_wins())
    propagation(sample, draw_frames())
    (frame,) = told
    assert frame == 2
    points, labels = given
    scale = torch.tensor([SIDE / SIZE[1], SIDE / SIZE[0]])
    expected = torch.tensor(points) * scale
    assert torch.equal(told[2]['point_labels'][0, 0], torch.tensor(labels))
    torch.testing.assert_close(told[2]['point_coords'][0, 0], expected)
    # SAM 2 draws that frame as well.
    masks = decode(sample.predictions[0])
    assert masks.shape == (T, *SIZE)
    assert (masks[2] != FIRST).any()


# -------------------------------------------------------- which frames it sees


def test_frames_are_read_from_their_files(propagation, tmp_path):
    """Red files; the segmentor saw something else, and smaller."""
    paths = [str(tmp_path / f'{i}.png') for i in range(2)]
    for path, red in zip(paths, (255, 51), strict=True):
        image = np.zeros((*SIZE, 3), np.uint8)
        image[..., 0] = red
        Image.fromarray(image).save(path)
    propagation.load(torch.device('cpu'))
    seen = draw_frames(2, (20, 30))
    frames = FramesOnDemand(paths, seen, propagation.processor)
    assert len(frames) == 2
    # ImageNet's mean and standard deviation.
    for index, red in enumerate((1.0, 0.2)):
        expected = [(red - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
        frame = frames[index]
        assert frame.shape == (3, SIDE, SIDE)
        assert frame[:, 7, 9].tolist() == pytest.approx(expected, abs=1e-4)
    assert frames.paths == paths


@pytest.mark.parametrize('paths', [None, [None] * 2, ['frame 0', 'frame 1']])
def test_without_files_it_sees_what_the_segmentor_saw(propagation, paths):
    propagation.load(torch.device('cpu'))
    seen = torch.full((2, 3, 20, 30), 51, dtype=torch.uint8)
    frames = FramesOnDemand(paths, seen, propagation.processor)
    expected = [(0.2 - 0.485) / 0.229, (0.2 - 0.456) / 0.224]
    assert frames[1][:2, 3, 4].tolist() == pytest.approx(expected, abs=1e-4)


def test_the_preprocessor_gives_back_what_it_took():
    model = build_model(CONFIG)
    inputs, samples = make_batch(model, [LARGE, (40, 72)])
    taken = make_batch_raw()
    for index, raw in enumerate(taken):
        restored = model.data_preprocessor.restore(
            inputs[index], samples[index]
        )
        assert torch.equal(restored, raw)
    samples[0].set_metainfo({'target_frames': [1]})
    restored = model.data_preprocessor.restore(inputs[0], samples[0])
    assert torch.equal(restored, taken[0][1:])


def make_batch_raw():
    from .test_referformer import draw_clip

    return [draw_clip(LARGE, 0), draw_clip((40, 72), 1)]


# ------------------------------------------------------------ as a test option


def build_with(folder, **kwargs):
    torch.manual_seed(0)
    option = {'type': 'SAM2Propagation', 'checkpoint': str(folder), **kwargs}
    return build_model(CONFIG, {'model.test_cfg': {'post_process': option}})


def test_a_segmentor_propagates_its_predictions(folder):
    model = build_with(folder)
    assert not hasattr(model.test_cfg, 'post_process')
    # SAM 2 is none of the segmentor's weights.
    assert not any('post' in name for name in model.state_dict())
    inputs, samples = make_batch(model, [LARGE])
    samples[0].set_metainfo({'ori_shape': (100, 151)})
    with torch.no_grad():
        model.mask_head.controller.layers[-1].bias.normal_()
    plain = copy.deepcopy(model)
    plain.post_process = None
    (before,) = plain(inputs, [copy.deepcopy(samples[0])], mode='predict')
    (after,) = model(inputs, samples, mode='predict')
    (before,), (after,) = before.predictions, after.predictions
    start = best_frame(before)
    assert start is not None
    other = 1 - start
    assert after.masks[start] == before.masks[start]
    assert after.masks[other] != before.masks[other]
    assert [rle['size'] for rle in after.masks] == [[100, 151]] * 2
    assert after.frame_scores == before.frame_scores


def test_all_predictions_go_through_it():
    """With an identity in SAM 2's place: the best frame's mask, T times."""
    model = build_with('nowhere')

    def repeat(sample, frames):
        assert frames.dtype == torch.uint8
        assert frames.shape == (2, 3, *LARGE)
        for prediction in sample.predictions:
            start = best_frame(prediction)
            prediction.masks = [prediction.masks[start]] * len(frames)

    model.post_process = repeat
    inputs, samples = make_batch(model, [LARGE])
    samples[0].references = samples[0].references * 2
    with torch.no_grad():
        model.mask_head.controller.layers[-1].bias.normal_()
    (sample,) = model(inputs, samples, mode='predict')
    for prediction in sample.predictions:
        assert prediction.masks[0] == prediction.masks[1]


# ------------------------------------------------------------------- bad input


@pytest.mark.parametrize('checkpoint', [None, 'no/such/folder'])
def test_a_checkpoint_that_is_not_there(checkpoint):
    propagation = SAM2Propagation(checkpoint)
    sample = predicted_sample(first_wins())
    message = message_of(propagation, sample, draw_frames())
    assert message == (
        f'SAM2Propagation: checkpoint is {checkpoint!r}; expected a folder '
        "with SAM 2's video model as transformers saves it"
    )


def test_a_checkpoint_without_some_weights(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / 'model.safetensors')
    del weights['no_memory_embedding']
    save_file(
        weights, tmp_path / 'model.safetensors', metadata={'format': 'pt'}
    )
    message = message_of(
        SAM2Propagation(str(tmp_path)).load, torch.device('cpu')
    )
    assert message == (
        f"{tmp_path}: missing keys is ['no_memory_embedding']; expected "
        'none: all of the model'
    )
    (tmp_path / 'model.safetensors').unlink()
    message = message_of(
        SAM2Propagation(str(tmp_path)).load, torch.device('cpu')
    )
    assert message.startswith(f'{tmp_path}: content is ')


def test_an_unknown_prompt():
    assert message_of(SAM2Propagation, 'x', 'words') == (
        "SAM2Propagation: prompt is 'words'; expected one of "
        "('mask', 'box', 'points')"
    )
