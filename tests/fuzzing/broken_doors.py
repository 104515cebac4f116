"""Readers that fail in each of the ways that the fuzzing must notice."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from refvos.errors import InputError
from tests.fuzzing.door import Door

NAME = 'a.bin'


def read(folder: Path) -> None:
    (folder / NAME).read_bytes()


def warn(folder: Path) -> None:
    print('mmengine - WARNING - one entry was left out')


def refuse(folder: Path) -> None:
    raise InputError.of(folder / NAME, 'content', 'b', 'a')


def refuse_in_two_lines(folder: Path) -> None:
    raise InputError(f'{folder}: first\nsecond: {folder}')


def refuse_without_a_name(folder: Path) -> None:
    raise InputError('the content is wrong')


def miss_a_key(folder: Path) -> None:
    {}['key']


def leave(folder: Path) -> None:
    raise SystemExit(3)


def leave_silently(folder: Path) -> None:
    raise SystemExit(2)


def fill_memory(folder: Path) -> None:
    np.ones(1 << 33, np.uint8)


def sleep(folder: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # One that it starts would go on.
    if os.fork() == 0:
        (folder / 'child').write_text(str(os.getpid()))
    time.sleep(1000)


def spin(folder: Path) -> None:
    while True:
        pass


def crash(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def abort(folder: Path) -> None:
    os.abort()


READERS: dict[Callable[[Path], object], str] = {
    read: 'read',
    warn: 'warned',
    refuse: 'refused',
    refuse_in_two_lines: 'traceback',
    refuse_without_a_name: 'unclear',
    miss_a_key: 'traceback',
    leave: 'unclear',
    leave_silently: 'unclear',
    fill_memory: 'memory',
    sleep: 'hang',
    spin: 'hang',
    crash: 'signal',
    abort: 'signal',
}


def make(folder: Path) -> None:
    (folder / NAME).write_bytes(bytes(range(200)))


DOORS = [Door(reader.__name__, NAME, make, reader) for reader in READERS]
