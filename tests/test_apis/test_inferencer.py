import json
import os
from pathlib import PurePosixPath

import av
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from pycocotools import mask as rle_codec
from safetensors.torch import save_file

from refvos.apis import RefVOSInferencer
from refvos.datasets import RefYouTubeVOSDataset
from tests.builders import message_of

from .conftest import MINI
from .videos import HEIGHT, WIDTH, make_frames, write_images, write_lossless

FRAMES = make_frames(3)
IMAGE = FRAMES[:1]
TEXTS = ['the red  Square', 'the blue circle that moves left']


def answers(result):
    return [(p.score, p.masks) for p in result.predictions]


@pytest.fixture(scope='module')
def result(inferencer):
    return inferencer(FRAMES, TEXTS)


def test_answers_have_the_frames_size_and_the_texts(result):
    assert result.frame_size == (HEIGHT, WIDTH)
    assert result.frame_ids == ['00000', '00001', '00002']
    texts = [p.reference.text for p in result.predictions]
    assert texts == ['the red square', 'the blue circle that moves left']
    for index, prediction in enumerate(result.predictions):
        masks = result.masks(index)
        assert masks.shape == (3, HEIGHT, WIDTH)
        # Random weights, but not the same everywhere.
        assert 0 < masks.mean() < 1
        assert prediction.score == pytest.approx(
            np.mean(prediction.frame_scores)
        )


def test_texts_are_answered_apart_as_together(inferencer, result):
    alone = [inferencer(FRAMES, text) for text in TEXTS]
    assert [answers(r)[0] for r in alone] == answers(result)
    assert answers(result)[0] != answers(result)[1]


def test_the_source_of_the_frames_makes_no_difference(
    inferencer, result, tmp_path
):
    names = ['8.png', '9.png', '10.png']
    paths = write_images(tmp_path / 'frames', FRAMES, names)
    lossless = write_lossless(tmp_path / 'a.mkv', FRAMES)
    for source in (tmp_path / 'frames', paths, str(lossless)):
        assert answers(inferencer(source, TEXTS)) == answers(result)


def test_answers_are_those_of_testing(config, weights, tmp_path):
    names = [f'{i:05d}.jpg' for i in range(3)]
    folder = tmp_path / 'test' / 'JPEGImages' / 'v'
    write_images(folder, FRAMES, names)
    expressions = tmp_path / 'meta_expressions' / 'test'
    expressions.mkdir(parents=True)
    (expressions / 'meta_expressions.json').write_text(
        json.dumps(
            {
                'videos': {
                    'v': {
                        'frames': [name[:-4] for name in names],
                        'expressions': {
                            str(i): {'exp': text}
                            for i, text in enumerate(TEXTS)
                        },
                    }
                }
            }
        )
    )
    resize = {'type': 'Resize', 'scale': (56, 40), 'keep_ratio': True}
    pipeline = [
        {'type': 'LoadFrames'},
        {'type': 'TransformFrames', 'transforms': [resize]},
        {'type': 'PackRefInputs'},
    ]
    # What knows the truth has no place here: all frames are asked for.
    window = {'type': 'SampleWindow', 'num_frames': 5}
    load_truth = {'type': 'LoadTubes', 'as_rle': True}
    steps = [window, pipeline[0], load_truth, *pipeline[1:]]
    inferencer = RefVOSInferencer(
        config,
        weights,
        'cpu',
        cfg_options={'test_dataloader.dataset.pipeline': steps},
    )
    given = config.test_dataloader.dataset.pipeline
    assert [step['type'] for step in given][1] == 'LoadTubes'  # a copy

    dataset = RefYouTubeVOSDataset(
        data_root=str(tmp_path),
        split='test',
        with_masks=False,
        test_mode=True,
        pipeline=pipeline,
    )
    item = dataset[0]
    assert item['inputs'].shape == (3, 3, 40, 56)
    batch = {key: [value] for key, value in item.items()}
    (tested,) = inferencer.model.test_step(batch)

    asked = inferencer(folder, TEXTS)
    assert asked.frame_size == (HEIGHT, WIDTH)
    assert answers(asked) == [(p.score, p.masks) for p in tested.predictions]


def test_threshold_holds_for_one_call(inferencer, result):
    # The mask at p holds the mask at every higher p.
    low = inferencer(FRAMES, TEXTS, threshold=0.3).masks(0)
    high = inferencer(FRAMES, TEXTS, threshold=0.9).masks(0)
    middle = result.masks(0)
    assert not (high & ~middle).any() and not (middle & ~low).any()
    assert high.sum() < middle.sum() < low.sum()
    assert answers(inferencer(FRAMES, TEXTS)) == answers(result)


def test_half_precision_weights(config, weights, inferencer, tmp_path):
    state = torch.load(weights)['state_dict']
    halves = {
        key: value.half() if value.is_floating_point() else value
        for key, value in state.items()
        if not key.endswith('num_batches_tracked')
    }
    path = tmp_path / 'small.safetensors'
    save_file(halves, path)
    loaded = RefVOSInferencer(config, path, 'cpu').model.state_dict()
    # Batch norms have gone into the backbone's convolutions.
    kept = [key for key in halves if not key.startswith('backbone')]
    for key in kept:
        half = halves[key]
        assert loaded[key].dtype == state[key].dtype
        assert (loaded[key] == half.to(state[key].dtype)).all()
    assert any((loaded[key] != state[key]).any() for key in kept)


# ------------------------------------------------------------------ the files


@pytest.fixture(scope='module')
def written(inferencer, tmp_path_factory):
    out_dir = tmp_path_factory.mktemp('results') / 'new' / 'out'
    source = out_dir.parents[1] / 'frames'
    write_images(source, FRAMES, ['a1.png', 'a2.png', 'a10.png'])
    return inferencer(source, TEXTS, out_dir=out_dir, fps=4)


def test_files_hold_the_predictions(written, result):
    out_dir = written.out_dir
    assert sorted(os.listdir(out_dir.parent)) == ['out']
    assert sorted(os.listdir(out_dir)) == [
        'masks', 'overlay.mp4', 'predictions.json', 'strip.png',
    ]  # fmt: skip
    content = json.loads((out_dir / 'predictions.json').read_text())
    assert content['size'] == [HEIGHT, WIDTH]
    assert content['frames'] == ['a1', 'a2', 'a10']
    folders = ['0_the-red-square', '1_the-blue-circle-that-moves-left']
    assert sorted(os.listdir(out_dir / 'masks')) == folders
    for index, entry in enumerate(content['predictions']):
        prediction = result.predictions[index]
        assert entry['text'] == prediction.reference.text
        assert (entry['kind'], entry['sound']) == ('text', None)
        assert entry['score'] == prediction.score
        assert entry['frame_scores'] == prediction.frame_scores
        assert entry['folder'] == f'masks/{folders[index]}'
        for frame, mask in enumerate(result.masks(index)):
            name = f'{content["frames"][frame]}.png'
            png = Image.open(out_dir / entry['folder'] / name)
            assert png.mode == 'L'
            assert (np.asarray(png) == mask * 255).all()
            assert (rle_codec.decode(entry['masks'][frame]) == mask).all()


def test_overlays_to_look_at(written):
    with av.open(str(written.out_dir / 'overlay.mp4')) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 4
        assert len(list(container.decode(stream))) == 3
        # Frames are enlarged to a shorter side of 256.
        assert stream.width == round(WIDTH * 256 / HEIGHT)
        assert stream.height > 256  # the labels are below
    strip = np.asarray(Image.open(written.out_dir / 'strip.png'))
    # Three frames with two gaps, a row for each text.
    assert strip.shape[1] == 3 * round(WIDTH * 256 / HEIGHT) + 2 * 4
    assert strip.shape[0] > 2 * 256


def test_results_replace_results_and_nothing_else(inferencer, tmp_path):
    out_dir = tmp_path / 'out'
    out_dir.mkdir()
    inferencer(IMAGE, TEXTS, out_dir=out_dir)
    inferencer(IMAGE, 'the ring', out_dir=out_dir)
    assert os.listdir(out_dir / 'masks') == ['0_the-ring']
    assert os.listdir(tmp_path) == ['out']
    (out_dir / 'notes.txt').write_text('mine')
    assert message_of(inferencer, IMAGE, 'the ring', out_dir=out_dir) == (
        f"{out_dir}: out_dir is 'not empty'; expected a new or empty "
        'folder, or one with results to replace'
    )
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'predictions.json').write_text('{}')
    assert 'not empty' in message_of(inferencer, IMAGE, 'x', out_dir=other)
    file = tmp_path / 'file'
    file.write_text('')
    assert 'a file' in message_of(inferencer, IMAGE, 'x', out_dir=file)
    below = message_of(inferencer, IMAGE, 'x', out_dir=file / 'out')
    assert 'below a file' in below
    assert sorted(os.listdir(tmp_path)) == ['file', 'other', 'out']


def test_a_failure_leaves_the_old_results(inferencer, tmp_path, monkeypatch):
    out_dir = tmp_path / 'out'
    inferencer(IMAGE, 'the ring', out_dir=out_dir)

    def fail(*args):
        raise OSError('disk full')

    monkeypatch.setattr('refvos.apis.results.write_overlays', fail)
    with pytest.raises(OSError, match='disk full'):
        inferencer(IMAGE, 'the square', out_dir=out_dir)
    assert os.listdir(tmp_path) == ['out']
    assert os.listdir(out_dir / 'masks') == ['0_the-ring']


def test_texts_that_make_no_file_name(inferencer, tmp_path):
    texts = ['../../etc: "x"', '红色的圆', '?!', 'w ' * 40]
    result = inferencer(IMAGE, texts, out_dir=tmp_path / 'out')
    assert sorted(os.listdir(result.out_dir / 'masks')) == [
        '0_etc-x', '1_红色的圆', '2_', '3_' + 'w-' * 19 + 'w',
    ]  # fmt: skip


def test_names_that_are_not_utf_8(inferencer, tmp_path):
    name = os.fsdecode(b'caf\xe9')
    write_images(tmp_path / name, FRAMES, [f'{name}{i}.png' for i in range(3)])
    result = inferencer(tmp_path / name, 'x', out_dir=tmp_path / f'o{name}')
    content = json.loads((result.out_dir / 'predictions.json').read_text())
    assert content['video'] == name
    assert content['frames'] == [f'{name}{i}' for i in range(3)]
    masks = os.listdir(result.out_dir / 'masks' / '0_x')
    assert sorted(masks) == [f'{name}{i}.png' for i in range(3)]
    message = message_of(inferencer, IMAGE, f'a {name}')
    assert message.endswith('expected text in UTF-8')


def test_names_of_results_that_no_folder_can_have(inferencer, tmp_path):
    for name in ('x' * 256, 'a\0b'):
        message = message_of(
            inferencer, 'no.mp4', 'x', out_dir=tmp_path / name
        )
        assert 'out_dir is ' in message and '\n' not in message
    result = inferencer(IMAGE, 'x', out_dir=tmp_path / ('x' * 255))
    assert os.listdir(tmp_path) == [result.out_dir.name]


def test_frames_too_narrow_for_the_model(config, weights, tmp_path):
    resize = {
        'type': 'Resize',
        'scale': (64, 36),
        'keep_ratio': True,
        'backend': 'pillow',
    }
    steps = [
        {'type': 'LoadFrames'},
        {'type': 'TransformFrames', 'transforms': [resize]},
        {'type': 'PackRefInputs'},
    ]
    inferencer = RefVOSInferencer(
        config,
        weights,
        'cpu',
        cfg_options={'test_dataloader.dataset.pipeline': steps},
    )
    frame = np.zeros((2, 300, 3), np.uint8)
    assert message_of(inferencer, [frame], 'x') == (
        'frame 0: size (height, width) is (2, 300); expected sides that are '
        'at least a pixel after resizing'
    )


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    'texts, message',
    [
        ([], 'texts: texts is []; expected a list of expressions'),
        (
            None,
            'inferencer: texts and sound is None; expected expressions, a '
            'sound, or both',
        ),
        ('  ', "texts: text 0 is '  '; expected an expression"),
        (['a', ''], "texts: text 1 is ''; expected an expression"),
        (['a', 7], 'texts: text 1 is 7; expected an expression'),
    ],
)
def test_texts_that_are_none(inferencer, texts, message):
    assert message_of(inferencer, FRAMES, texts) == message


def test_too_long_a_text_is_refused_before_the_video_is_read(inferencer):
    text = 'circle ' * 2000
    message = message_of(inferencer, 'no-such-video.mp4', ['ring', text])
    assert message.startswith("text encoder: text of reference '1' (")
    assert message.endswith('; expected at most 64 tokens')


def test_bad_numbers_and_missing_videos(inferencer, tmp_path):
    for threshold in (0, 1, -0.5, float('nan')):
        assert message_of(inferencer, FRAMES, 'x', threshold=threshold) == (
            f'inferencer: threshold is {threshold!r}; expected between 0 and 1'
        )
    path = tmp_path / 'no.mp4'
    out_dir = tmp_path / 'out'
    message = message_of(inferencer, path, 'x', out_dir=out_dir)
    assert message.startswith(f"{path}: video is 'missing'")
    assert not out_dir.exists()


def test_checkpoints_must_fit(config, weights, tmp_path):
    state = torch.load(weights)['state_dict']
    path = tmp_path / 'changed.pth'

    def attempt(changed):
        torch.save(changed, path)
        return message_of(RefVOSInferencer, config, path, 'cpu')

    key = 'fusion.attention.in_proj_bias'
    key = key if key in state else next(k for k in state if 'fusion' in k)
    shape = tuple(state[key].shape)
    fewer = {k: v for k, v in state.items() if k != key}
    assert attempt(fewer) == (
        f"{path}: key {key} is 'missing'; expected all of the config's model"
    )
    more = {**state, 'fusion.extra': torch.zeros(1)}
    assert attempt(more).startswith(
        f"{path}: key is 'fusion.extra'; expected one of the config's model"
    )
    other = {**state, key: torch.zeros(3, 5)}
    assert attempt(other) == (
        f'{path}: shape of key {key} is (3, 5); expected {shape}, as in the '
        "config's model"
    )
    published = attempt({'model': state, 'epoch': 5})
    assert "key is 'model'" in published and 'converted' in published
    assert f"{path}: key level_embedding is 'missing'" in attempt({})
    assert f'{path}: state_dict is [1]' in attempt({'state_dict': [1]})
    no_values = {**state, key: torch.empty(shape, device='meta')}
    assert 'pickle wants' in attempt(no_values)
    complex_values = {**state, key: state[key].cfloat()}
    assert attempt(complex_values).startswith(
        f"{path}: weights.{key} is 'torch.strided, torch.complex64, cpu'; "
        'expected a dense tensor of real numbers'
    )


def test_checkpoints_are_not_trusted(config, weights, tmp_path):
    content = torch.load(weights)
    content['meta'] = {'folder': PurePosixPath('a')}
    path = tmp_path / 'a.pth'
    torch.save(content, path)
    message = message_of(RefVOSInferencer, config, path, 'cpu')
    assert message.startswith(
        f"{path}: what the pickle wants is 'pathlib.PurePosixPath'"
    )
    trusting = RefVOSInferencer(config, path, 'cpu', trust_checkpoint=True)
    loaded = trusting.model.state_dict()
    assert all(
        torch.equal(loaded[key], value)
        for key, value in content['state_dict'].items()
        if not key.startswith('backbone')
    )
    missing = tmp_path / 'no.pth'
    message = message_of(RefVOSInferencer, config, missing, 'cpu')
    assert message.startswith(f"{missing}: checkpoint is 'missing'")


def test_configs_and_devices(config, weights, tmp_path):
    missing = tmp_path / 'no.py'
    assert message_of(RefVOSInferencer, missing, weights).startswith(
        f"{missing}: config is 'missing'"
    )
    message = message_of(
        RefVOSInferencer, MINI, cfg_options={'model.num_querys': 3}
    )
    assert 'num_querys' in message and 'num_queries' in message
    message = message_of(RefVOSInferencer, config, weights, 'cuda:99')
    assert message.startswith("inferencer: device is 'cuda:99'; expected ")
    message = message_of(RefVOSInferencer, config, weights, 'toaster')
    assert message.startswith("inferencer: device is 'toaster'; expected ")
    bare = Config({'model': config.model, 'default_scope': 'mmdet'})
    message = message_of(RefVOSInferencer, bare, weights)
    assert 'test_dataloader.dataset.pipeline is None' in message
