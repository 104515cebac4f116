"""A missing file of RefVOS-Mini names the command that makes the set."""

import re
from pathlib import Path

import pytest

from refvos.io.data_files import load_json
from refvos.io.missing_file import command_of
from tests.builders import ROOT, load_config, message_of

MAKE = 'python tools/dataset_converters/make_mini.py'


@pytest.mark.parametrize(
    ('path', 'command'),
    [
        (
            'data/refvos-mini/meta_expressions/test/meta_expressions.json',
            f'{MAKE} data/refvos-mini',
        ),
        (
            '/x/refvos-mini/coco/refs.p',
            f'{MAKE} /x/refvos-mini --layouts refcoco',
        ),
        (
            'refvos-mini-sound/s4_meta_data.csv',
            f'{MAKE} refvos-mini-sound --layouts avsbench-s4 avsbench-ms3',
        ),
        (
            'data/refvos-mini-davis17/train/meta.json',
            f'{MAKE} data/refvos-mini --layouts ref-davis17 && '
            'python tools/dataset_converters/ref_davis17.py '
            'data/refvos-mini data/refvos-mini-davis17',
        ),
        ('data/my-refvos-mini/meta.json', ''),
        ('data/ref-youtube-vos/train/meta.json', ''),
    ],
)
def test_command_of_a_file(path, command):
    assert command_of(Path(path)) == command


def test_message(tmp_path):
    file = tmp_path / 'refvos-mini-motion/train/meta.json'
    assert message_of(load_json, file) == (
        f"{file}: file is 'missing'; expected a file of the data set; made "
        f'by: {MAKE} {tmp_path}/refvos-mini-motion --scenes one-moves'
    )
    file = tmp_path / 'train/meta.json'
    assert message_of(load_json, file).endswith('a file of the data set')


def test_every_mini_config_has_a_command():
    """Each ``data_root`` of the mini configs has one."""
    roots = set()
    for file in (ROOT / 'configs/_base_/datasets').glob('*mini*.py'):
        roots.add(load_config(str(file)).data_root)
    for file in (ROOT / 'configs/mini').rglob('*.py'):
        found = re.findall(r"'(data/refvos-mini[^']*)'", file.read_text())
        roots.update(found)
    assert len(roots) > 5
    for root in roots:
        assert command_of(Path(root) / 'meta.json').startswith(MAKE), root
