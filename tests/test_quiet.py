"""Commands begin with a line of ours; unknown messages are shown."""

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refvos import quiet

ROOT = Path(__file__).parents[1]


def run(*command, **kwargs):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **kwargs},
    )


@pytest.mark.parametrize(
    ('command', 'first'),
    [
        (['-m', 'refvos', '--help'], 'usage: refvos'),
        (['tools/train.py', '--help'], 'usage: train.py'),
        # It imports mmdet's registry before refvos.
        (['tools/test.py', '--help'], 'usage: test.py'),
        (['demo/demo.py', '--help'], 'usage: demo.py'),
        (['tools/check_dataset.py', '--help'], 'usage: check_dataset.py'),
    ],
    ids=lambda value: value[-2] if isinstance(value, list) else None,
)
def test_help_begins_with_our_usage(command, first):
    result = run(*command)
    assert result.returncode == 0
    assert result.stdout.startswith(first), result.stdout[:300]


def test_an_answer_is_all_that_the_command_prints(tmp_path):
    for index in range(2):
        image = np.full((96, 128, 3), 40 * index, np.uint8)
        (tmp_path / 'video').mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / f'video/{index}.png')
    result = run(
        *('-m', 'refvos', tmp_path / 'video', '--text', 'the red circle'),
        *('--config', 'configs/mini/referformer_mini.py'),
        *('--checkpoint', 'demo/weights/referformer_mini.safetensors'),
        *('--out-dir', tmp_path / 'out'),
    )
    lines = result.stdout.splitlines()
    # Nothing before the table but the bar of the frames that are read.
    assert result.returncode == 0, result.stdout
    assert lines[-3] == 'score  text'
    assert all('it/s' in line or 'frame' in line for line in lines[:-3])
    assert len(lines) <= 4


def test_only_the_listed_warnings_are_hidden():
    hidden = [
        ('torch.meshgrid: in an upcoming release, it will be', UserWarning),
        (
            'faster_coco_eval is not installed, metrics will not be computed',
            UserWarning,
        ),
        (
            '`torch.cuda.amp.GradScaler(args...)` is deprecated. Use',
            FutureWarning,
        ),
    ]
    shown = [
        ('faster_coco_eval is broken', UserWarning),
        ('torch.meshgrid: these shapes differ', UserWarning),
        # The words of a listed one in another category.
        (hidden[1][0], RuntimeWarning),
    ]
    with warnings.catch_warnings(record=True) as seen:
        warnings.resetwarnings()
        quiet.hide_warnings()
        for message, category in hidden + shown:
            warnings.warn(message, category, stacklevel=1)
    assert [str(warning.message) for warning in seen] == [
        message for message, _ in shown
    ]


def test_other_log_records_and_prints_pass(capsys):
    logger = logging.Logger('toy')
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger.addHandler(handler)
    logger.addFilter(quiet.is_unknown)
    logger.warning('"FileClient" will be deprecated in future. Please use')
    logger.warning('"FileClient" found nothing')
    assert records == ['"FileClient" found nothing']


def test_another_line_printed_at_import_is_shown(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / 'loud_module.py').write_text(
        'from mmengine.logging import print_log\n'
        f'print_log({quiet.PRINTED!r})\n'
        "print_log('Could not import all else.')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(quiet, 'PRINTING_MODULES', ['loud_module'])
    quiet.import_quietly()
    assert capsys.readouterr().out == 'Could not import all else.\n'
