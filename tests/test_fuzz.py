"""Damaged files of every format end in a result or in one line."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders import ROOT
from tests.fuzz import Fuzzer, Input
from tests.fuzzing.broken_doors import DOORS, READERS
from tests.fuzzing.limits import RIGHT, Limits

INPUTS = 256
MARK = 'REFVOS_FUZZ_TEST'


def fuzz(*options, **environment):
    done = subprocess.run(
        [sys.executable, '-m', 'tests.fuzz', *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
    )
    return done.returncode, done.stdout, done.stdout + done.stderr


# Half a minute, and much more on a machine that does other things.
@pytest.mark.timeout(1200)
def test_damaged_files_of_every_format():
    status, printed, everything = fuzz('--inputs', INPUTS, '--seed', 0)
    assert status == 0, everything
    total = re.search(r'\| all ' + r'\| (\d+) ' * 5, printed)
    inputs, read, warned, refused, wrong = map(int, total.groups())
    assert inputs == INPUTS and wrong == 0
    # Else the damage would reach nothing, or everything.
    assert read + warned > INPUTS / 20 and refused > INPUTS / 3


def test_failures_are_found(tmp_path):
    """Readers that fail in each way are reported as such, and end."""
    mark = str(os.getpid())
    status, printed, everything = fuzz(
        *('--doors', 'tests.fuzzing.broken_doors', '--cold', '--jobs', 2),
        *('--inputs', 2 * len(READERS), '--seconds', 5, '--memory', 1024),
        *('--keep', tmp_path),
        **{MARK: mark},
    )
    assert status == 1, everything
    for reader, kind in READERS.items():
        name = reader.__name__
        counts = [2 * (kind == each) for each in RIGHT]
        counts.append(2 * (kind not in RIGHT))
        row = ' | '.join(map(str, (name, 2, *counts)))
        assert f'| {row} |' in printed, everything
        found = re.findall(rf'^(\w+): {name}/[01]: ', printed, re.MULTILINE)
        assert found == ([] if kind in RIGHT else [kind, kind]), everything
    assert 'SIGSEGV' in printed and "KeyError: 'key'" in printed
    kept = {path.stem.rpartition('-')[0] for path in tmp_path.iterdir()}
    wrong = [reader for reader, kind in READERS.items() if kind not in RIGHT]
    assert kept == {reader.__name__ for reader in wrong}
    # What a reader has started ends with it.
    until = time.time() + 10
    while marked(mark) and time.time() < until:
        time.sleep(0.1)
    left = marked(mark)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def marked(mark):
    """Numbers of the processes with a mark in their environment."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            environment = (folder / 'environ').read_bytes()
            state = (folder / 'stat').read_text().rpartition(')')[2]
        except OSError:
            continue
        if f'{MARK}={mark}'.encode() in environment.split(b'\0') and (
            'Z' not in state
        ):
            found.append(int(folder.name))
    return found


def test_equal_seeds_give_equal_inputs(tmp_path):
    contents = {}
    for name, seed in (('a', '0'), ('b', '0'), ('c', '1')):
        fuzzer = Fuzzer(DOORS[:1], tmp_path / name, seed, Limits())
        fuzzer.fill()
        contents[name] = [
            fuzzer.content(Input(0, number)) for number in range(20)
        ]
    assert contents['a'] == contents['b'] != contents['c']
    assert len(set(contents['a'])) > 15
