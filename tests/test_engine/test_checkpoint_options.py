"""A checkpoint's note of the config entries that its weights need."""

import logging

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from refvos.apis import RefVOSInferencer
from refvos.commands import test as command
from refvos.engine.checkpoint_options import (
    describe_options,
    noted_options,
    options_note,
    warn_of_options,
)
from refvos.io.safe_checkpoint import load_checkpoint_file, read_meta
from refvos.io.weights import serialize_weights
from tests.builders import ROOT, build_model, load_script, message_of

HABITS = {'model.published_habits': True}
MINI = str(ROOT / 'configs/mini/mutr_mini_text.py')


@pytest.fixture
def warnings():
    """The lines that mmengine's logger warns with."""
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    handler = Keep(logging.WARNING)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def expected_warning(path):
    return (
        f"{path}: its weights were made for another model than the config's, "
        'the results will be wrong; give --cfg-options '
        'model.published_habits=True'
    )


def test_a_note_is_read_as_it_was_written():
    options = {'model.published_habits': True, 'model.num_queries': 3}
    assert noted_options(options_note(options), 'file') == options
    assert options_note({}) == {} == noted_options({'epoch': 3}, 'file')
    assert describe_options(options) == (
        'model.published_habits=True model.num_queries=3'
    )


@pytest.mark.parametrize('note', ['{', '[1]', 3])
def test_a_damaged_note_is_refused(note):
    assert message_of(noted_options, {'model_options': note}, 'ours.pth') == (
        f'ours.pth: meta.model_options is {note!r}; expected config entries '
        'by name, as JSON'
    )


@pytest.mark.parametrize(
    ('cfg', 'warns'),
    [
        ({'model': {'published_habits': True}}, False),
        ({'model': {'published_habits': False}}, True),
        ({'model': {}}, True),
        ({}, True),
    ],
)
def test_a_config_that_disagrees_is_named_in_one_line(cfg, warns, warnings):
    meta = options_note(HABITS)
    missing = warn_of_options(Config(cfg), meta, 'ours.pth')
    assert missing == (HABITS if warns else {})
    assert warnings == [expected_warning('ours.pth')] * warns


@pytest.fixture(scope='module')
def weights():
    return build_model('configs/mini/mutr_mini_text.py').state_dict()


@pytest.fixture(params=['.pth', '.safetensors'])
def converted(request, weights, tmp_path):
    """A checkpoint as a converter writes it."""
    path = tmp_path / f'ours{request.param}'
    path.write_bytes(
        serialize_weights(weights, options_note(HABITS), request.param)
    )
    return str(path)


@pytest.mark.parametrize('options', [{}, HABITS])
def test_the_inferencer_warns(options, converted, warnings):
    RefVOSInferencer(MINI, converted, device='cpu', cfg_options=options)
    assert warnings == ([] if options else [expected_warning(converted)])


@pytest.mark.parametrize('options', [{}, HABITS])
def test_testing_warns(options, converted, tmp_path, warnings, monkeypatch):
    build = command.build_runner

    def only_load(cfg, allow_missing):
        runner = build(cfg, allow_missing)
        runner.test = runner.load_or_resume
        return runner

    monkeypatch.setattr(command, 'build_runner', only_load)
    lines = []
    monkeypatch.setattr(
        'refvos.engine.checkpoint_options.print_log',
        lambda line, **_: lines.append(line),
    )
    argv = [MINI, converted, '--work-dir', str(tmp_path / 'work')]
    if options:
        argv += ['--cfg-options', describe_options(options)]
    command.main(argv)
    assert lines == ([] if options else [expected_warning(converted)])


def test_publishing_keeps_the_note(converted, tmp_path):
    tool = load_script('tools/model_converters/publish_model.py')
    argv = [converted, str(tmp_path / 'new'), '--half', '--format', 'both']
    for path in tool.main(argv):
        meta = read_meta(load_checkpoint_file(path), path)
        assert noted_options(meta, path) == HABITS
        assert meta['precision'] == 'half'


def test_a_checkpoint_without_notes(tmp_path):
    path = str(tmp_path / 'plain.pth')
    torch.save({'weight': torch.ones(1)}, path)
    assert read_meta(load_checkpoint_file(path), path) == {}
