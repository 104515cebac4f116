"""A disk that takes no more ends a tool in one line; nothing half-written."""

import errno
import os
import resource
import shutil
import sys
from collections import namedtuple
from contextlib import contextmanager

import numpy as np
import pytest

from refvos.disk import disk_line, writing
from refvos.engine.cli import run_tool
from refvos.evaluation import RefYouTubeVOSSubmission
from refvos.evaluation.table_metric import write_table
from refvos.io.atomic import whole_folder, write_atomically
from refvos.mini.writers.a2d import write_mp4
from refvos.mini.writers.files import write_bytes, write_mask
from refvos.uncaught import report_input_errors
from refvos.visualization.video_writer import write_image, write_video
from tests.test_evaluation.videos import predict, predicted_sample, square

NOISE = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), np.uint8)
Usage = namedtuple('Usage', 'total used free')


@contextmanager
def smallest_files():
    """No file grows beyond 200 bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_one_of_several(path):
    with whole_folder(path) as folder:
        (folder / 'a').write_bytes(b'small')
        (folder / 'b').write_bytes(bytes(1000))


WRITERS = {
    'bytes': lambda path: write_atomically(path, bytes(1000)),
    'folder': write_one_of_several,
    'image.png': lambda path: write_image(path, NOISE[0]),
    'video.mp4': lambda path: write_video(path, NOISE),
    'table.json': lambda path: write_table(str(path), [{'a': 'b' * 1000}]),
    'mini': lambda path: write_bytes(path, bytes(1000)),
    'mini.png': lambda path: write_mask(path, NOISE[0, ..., 0]),
    'mini.mp4': lambda path: write_mp4(path, NOISE),
}


@pytest.mark.parametrize('name', WRITERS)
def test_what_is_written_is_whole_or_not_there(tmp_path, name):
    path = tmp_path / name
    with smallest_files(), pytest.raises(OSError) as raised:
        WRITERS[name](path)
    assert raised.value.errno == errno.EFBIG
    assert raised.value.filename == str(path)
    assert os.listdir(tmp_path) == []
    WRITERS[name](path)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize('where', ['masks', 'zip'])
def test_a_submission(tmp_path, where):
    submission = RefYouTubeVOSSubmission(str(tmp_path / 'out'))
    masks = [square(2, 2)] * 2
    if where == 'masks':
        # Noise: the PNG of a square would be small enough.
        masks = [np.random.default_rng(0).random((64, 64)) < 0.5] * 2
    sample = predicted_sample([predict(masks)], None).to_dict()
    sample['ori_shape'] = masks[0].shape
    with pytest.raises(OSError) as raised:
        if where == 'masks':
            with smallest_files():
                submission.process(None, [sample])
        submission.process(None, [sample])
        with smallest_files():
            submission.evaluate(1)
    assert raised.value.filename == str(tmp_path / 'out' / 'Annotations')
    assert list(tmp_path.rglob('*')) == [tmp_path / 'out']


@pytest.fixture
def little_space(monkeypatch):
    usage = Usage(10**9, 10**9 - 123_456, 123_456)
    monkeypatch.setattr(shutil, 'disk_usage', lambda place: usage)


LINE = (
    "/no/such/folder: free space is '0.1 MB'; expected room for all that is "
    'written (No space left on device)'
)


def write_to_full_device(argv=None):
    with writing('/no/such/folder'), open('/dev/full', 'w') as file:
        file.write('a')


def test_a_tool_ends_in_one_line(capsys, little_space):
    assert run_tool(write_to_full_device, []) == 2
    assert capsys.readouterr().err == f'error: {LINE}\n'


def test_a_script_that_is_not_ours_ends_in_one_line(
    capsys, monkeypatch, little_space
):
    shown = []
    monkeypatch.setattr(sys, 'excepthook', lambda *error: shown.append(error))
    report_input_errors()
    for error in (OSError(errno.ENOSPC, 'full', '/no/such'), OSError(5, 'a')):
        sys.excepthook(type(error), error, None)
    assert capsys.readouterr().err == (
        "error: /no/such: free space is '0.1 MB'; expected room for all that "
        'is written (full)\n'
    )
    assert [error.errno for _, error, _ in shown] == [5]


def test_errors_of_other_kinds_stay(capsys):
    def fail(argv):
        with writing('/a'):
            raise PermissionError(errno.EACCES, 'not allowed', '/b')

    with pytest.raises(PermissionError, match='/b'):
        run_tool(fail, [])
    assert disk_line(ValueError('a')) is None
    assert disk_line(OSError(errno.EDQUOT, 'over quota')) == (
        "output: disk is 'over quota'; expected room to write"
    )
