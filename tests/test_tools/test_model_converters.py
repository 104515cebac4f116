"""Published checkpoints in, ours out, or one line that says why not."""

import argparse
import os

import numpy as np
import pytest
import torch
from mmengine.runner import load_checkpoint

from refvos.converters.convert import run_converter
from refvos.io.safe_checkpoint import load_checkpoint_file
from refvos.structures import EncodedReferences
from tests.builders import ROOT, build_model, load_script
from tests.formula_weights import DATA, published_state_dict

NAME = 'referformer_resnet50'
CONFIG = 'configs/_base_/models/referformer_r50.py'
# The text encoder of the oracle: two layers, 1000 words.
OPTIONS = {
    'model.text_encoder.config.vocab_size': 1000,
    'model.text_encoder.config.num_hidden_layers': 2,
}
SMALL_TEXT = [f'{key}={value}' for key, value in OPTIONS.items()]
FULL_SIZE = 176_262_207


class RunsCommand:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/model_converters/referformer.py')


@pytest.fixture
def convert(tool, tmp_path, capsys):
    """Run the tool; gives its status, output and the target's path."""

    def run(src, *options, target='ours.pth'):
        dst = tmp_path / target
        argv = [str(src), str(dst), *options]
        status = run_converter(tool.__doc__, tool.MAPPING, argv)
        printed = capsys.readouterr()
        return status, printed.out, printed.err, dst

    return run


@pytest.fixture
def refuse(convert):
    """Run the tool on what it can't use; gives the one line it prints."""

    def run(src, *options, **kwargs):
        status, _, error, dst = convert(src, *options, **kwargs)
        assert status == 2
        assert not dst.is_file()
        (line,) = error.splitlines()
        return line

    return run


def light_state_dict():
    """All published keys in full size; a tensor holds one number."""
    rows = (DATA / 'checkpoint_keys' / f'{NAME}.tsv').read_text().splitlines()
    state = {}
    for row in rows[1:]:
        key, shape = row.split('\t')
        size = tuple(int(n) for n in shape.split('x') if n)
        state[key] = torch.zeros(1).expand(size) if size else torch.zeros(())
    return state


def save(tmp_path, content):
    path = tmp_path / 'published.pth'
    torch.save(content, path)
    return path


@pytest.fixture
def whole(tmp_path):
    """A checkpoint as the published training script saves it."""
    content = {
        'model': light_state_dict(),
        'optimizer': {'state': {}, 'param_groups': [{'lr': 1e-4}]},
        'epoch': 5,
        'args': argparse.Namespace(lr=1e-4, masks=True),
    }
    return save(tmp_path, content)


def with_config(*options):
    return ['--config', str(ROOT / CONFIG), '--cfg-options', *options]


def test_full_size_checkpoint_fits_the_config(whole, convert):
    status, out, error, dst = convert(whole, '--config', str(ROOT / CONFIG))
    assert (status, error) == (0, '')
    content = load_checkpoint_file(str(dst))
    assert set(content) == {'state_dict', 'meta'}
    assert content['meta']['converted_from'] == 'published.pth'
    state = content['state_dict']
    learned = {
        key: value
        for key, value in state.items()
        if not (key.startswith('backbone') and ('bn' in key))
        and 'downsample.1' not in key
    }
    assert sum(value.numel() for value in learned.values()) == FULL_SIZE
    # 804 published: 36 + 12 second names and a constant go, 53 come.
    counts = [k for k in state if k.endswith('.num_batches_tracked')]
    assert len(counts) == 53 and not any(state[k].any() for k in counts)
    published = len(light_state_dict())
    dropped = 0
    lines = out.splitlines()
    for line in lines[:-2]:
        number, words, reason = line.split(' ', 2)
        assert words == 'keys' and reason.startswith('dropped: ')
        dropped += int(number)
    assert len(state) == published - dropped + 53
    assert any('second names of the tensors in bbox_embed' in s for s in lines)
    assert lines[-2].startswith(f'{published} keys read, {len(state)} written')
    assert lines[-1] == f'they fit the model of {ROOT / CONFIG}'


def test_converted_weights_give_the_published_answers(tmp_path, convert):
    """From a plain state dict to .safetensors, with real numbers."""
    src = save(tmp_path, published_state_dict(NAME))
    status, _, error, dst = convert(
        src, *with_config(*SMALL_TEXT), target='new/ours.safetensors'
    )
    assert (status, error) == (0, '')
    src.unlink()
    model = build_model(CONFIG, OPTIONS)
    load_checkpoint(model, str(dst), strict=True)
    dst.unlink()
    oracle = np.load(DATA / 'oracle' / f'{NAME}_eval.npz')
    video = torch.from_numpy(oracle['video0']).float()
    ids = torch.from_numpy(oracle['token_ids'][:1])
    with torch.no_grad():
        layer = model.refer(
            model.encode_video(video[None], [tuple(video.shape[2:])]),
            EncodedReferences(
                text=model.text_encoder.encode_tokens(ids, ids == 1)
            ),
        )[-1]
    for ours, name, tolerance in (
        (layer.scores, 'pred_logits', 1e-4),
        (layer.bboxes, 'pred_boxes', 1e-4),
        (layer.masks, 'pred_masks', 2e-3),
    ):
        theirs = torch.from_numpy(oracle[name][:1])
        assert (ours - theirs).abs().max() < tolerance, name


def test_unknown_key(tmp_path, refuse):
    state = {'query_embed.weight': torch.ones(5, 256)}
    state.update({f'teacher.{i}': torch.ones(1) for i in (0, 1)})
    path = save(tmp_path, {'model': state})
    assert refuse(path) == (
        f"error: {path}: key (one of 2) is 'teacher.0'; expected a key of "
        'the published model'
    )


def test_two_keys_of_one_name(tool, tmp_path, capsys):
    from refvos.converters.key_mapping import KeyMapping

    path = save(tmp_path, {'a': torch.ones(1), 'b': torch.ones(1)})
    mapping = KeyMapping([('[ab]', 'c')])
    argv = [str(path), str(tmp_path / 'c.pth')]
    assert run_converter('', mapping, argv) == 2
    assert capsys.readouterr().err == (
        f"error: {path}: key is 'b'; expected no other key that maps to c\n"
    )


def test_missing_key(tmp_path, refuse):
    state = light_state_dict()
    del state['controller.layers.1.bias']
    path = save(tmp_path, {'model': state})
    line = refuse(path, '--config', str(ROOT / CONFIG))
    assert line.startswith(
        f'error: {path}: weight (one of 1 missing) is '
        "'mask_head.controller.layers.1.bias'; expected the weights"
    )


def test_weights_that_the_model_lacks(whole, refuse):
    line = refuse(
        whole, *with_config('model.text_encoder.config.num_hidden_layers=11')
    )
    # RoBERTa's layers have 16 weights each.
    assert line.startswith(
        f'error: {whole}: weight (one of 16 unexpected) is '
        "'text_encoder.model.encoder.layer.11."
    )


def test_wrong_shape(whole, refuse):
    line = refuse(whole, *with_config('model.num_queries=8'))
    assert line.startswith(
        f'error: {whole}: shape of query_embedding.weight (one of 1) is '
        '(5, 256); expected (8, 256), as in the model of '
    )


def test_hostile_pickle(tmp_path, refuse, convert):
    marker = tmp_path / 'ran'
    content = {
        'model': {'query_embed.weight': torch.ones(5, 256)},
        'args': RunsCommand(marker),
    }
    path = save(tmp_path, content)
    line = refuse(path)
    assert 'posix.system' in line and '--trust-checkpoint' in line
    assert not marker.exists()
    status, _, _, dst = convert(path, '--trust-checkpoint')
    assert status == 0 and marker.exists()
    state = load_checkpoint_file(str(dst))['state_dict']
    assert list(state) == ['query_embedding.weight']


A_TENSOR = (
    'expected a tensor (published weights are converted first, '
    'tools/model_converters)'
)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({'model': []}, 'model is []; expected weights by name'),
        ({}, 'content is {}; expected weights by name'),
        ({'epoch': 3}, f'content.epoch is 3; {A_TENSOR}'),
        ({'model': {'a': 'b'}}, f"model.a is 'b'; {A_TENSOR}"),
    ],
)
def test_no_weights(tmp_path, refuse, content, words):
    path = save(tmp_path, content)
    assert refuse(path) == f'error: {path}: {words}'


def test_checkpoint_cut_short(whole, refuse):
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    assert refuse(whole).startswith(f'error: {whole}: size in bytes is ')


def test_missing_checkpoint(tmp_path, refuse):
    path = tmp_path / 'no.pth'
    assert refuse(path).startswith(f"error: {path}: checkpoint is 'missing'")


def test_targets(whole, refuse, convert, tmp_path):
    line = refuse(whole, target='ours.bin')
    assert "ours.bin'; expected a file ending in one of ('.pth'," in line
    (tmp_path / 'folder.pth').mkdir()
    assert 'expected a file ending' in refuse(whole, target='folder.pth')
    before = whole.read_bytes()
    status, _, error, _ = convert(whole, target=whole.name)
    assert status == 2 and 'expected another file than SRC' in error
    assert whole.read_bytes() == before
    # Nothing half-written is left beside.
    assert {p.name for p in tmp_path.iterdir()} == {whole.name, 'folder.pth'}


def test_bad_configs(whole, refuse, tmp_path):
    options = ['--cfg-options', 'model.num_queries=8']
    assert 'config is None; expected --config' in refuse(whole, *options)
    line = refuse(whole, *with_config('model.num_querys=8'))
    assert line.startswith('error: --cfg-options: model.num_querys is ')
    config = tmp_path / 'empty.py'
    config.write_text('a = 1\n')
    line = refuse(whole, '--config', str(config))
    assert line == f"error: {config}: model is 'missing'; expected a model"
