"""Report a missing file of a data set, and the command that makes it."""

import re
from pathlib import Path
from typing import Dict

from ..errors import InputError

EXPECTED = 'a file of the data set'
# Command that makes the folder whose path ends so: those that the configs of
# RefVOS-Mini name as `data_root`. The first part of the path may be any.
MAKE = 'python tools/dataset_converters/make_mini.py'
OPTIONS: Dict[str, str] = {
    'refvos-mini/mevis': ' --layouts mevis',
    'refvos-mini/coco': ' --layouts refcoco',
    'refvos-mini-a2d': ' --layouts a2d jhmdb',
    'refvos-mini-motion': ' --scenes one-moves',
    'refvos-mini-sound': ' --layouts avsbench-s4 avsbench-ms3',
    'refvos-mini': '',
}
CONVERTED = 'refvos-mini-davis17'


def missing_file(file: Path, expected: str = EXPECTED) -> InputError:
    """Compose the error for a file of a data set that is not there.

    Args:
        file: Its path. If it lies in a RefVOS-Mini, the message ends with
            the command that makes this set.
        expected: What the file is.
    """
    return InputError.of(
        file, 'file', 'missing', naming_command(expected, file)
    )


def naming_command(expected: str, file: Path) -> str:
    """Append the command that makes a file, if it is of RefVOS-Mini."""
    command = command_of(file)
    return expected + (f'; made by: {command}' if command else '')


def command_of(file: Path) -> str:
    """Return the command that makes a RefVOS-Mini file; '' for others."""
    path = file.as_posix()
    for folder, options in OPTIONS.items():
        found = re.match(rf'(|.*/){folder}/', path)
        if found is not None:
            root = found[1] + folder.partition('/')[0]
            return f'{MAKE} {root}{options}'
    found = re.match(rf'(|.*/){CONVERTED}/', path)
    if found is None:
        return ''
    source = f'{found[1]}refvos-mini'
    return (
        f'{MAKE} {source} --layouts ref-davis17 && '
        'python tools/dataset_converters/ref_davis17.py '
        f'{source} {found[1]}{CONVERTED}'
    )
