"""What all tests share: one thread a worker, data sets made once."""

import gc
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from filelock import FileLock

from refvos.mini import make_mini

IN_WORKER = 'PYTEST_XDIST_WORKER' in os.environ

# There is one worker per core: more threads would only wait for each other,
# in the worker and in the processes that its tests start.
if IN_WORKER:
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    torch.set_num_threads(1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spare what is imported the collections of garbage.

    mmengine collects for every data set that it builds, which takes 0.3
    seconds where all of mmdet and transformers are searched.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session')
def make_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], Any]], Path]:
    """Fill a folder once per test run, whichever workers ask for it.

    The fixture is a function of the folder's name and of a function that
    fills it. All tests get the same folder, so none may write into it.
    """
    root = tmp_path_factory.getbasetemp()
    if IN_WORKER:
        # The parent is common to the workers of a run.
        root = root.parent
    root = root / 'shared'
    root.mkdir(exist_ok=True)

    def make(name: str, fill: Callable[[Path], Any]) -> Path:
        folder, done = root / name, root / f'{name}.done'
        with FileLock(root / f'{name}.lock'):
            if not done.exists():
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope='session')
def shared_mini(make_once) -> Callable[..., Path]:
    """Make a RefVOS-Mini once per test run.

    The fixture is a function of ``make_mini``'s arguments. No test may write
    into the folder that it returns.
    """

    def make(**arguments: Any) -> Path:
        key = json.dumps(arguments, sort_keys=True).encode()
        return make_once(
            f'mini-{hashlib.sha256(key).hexdigest()[:8]}',
            lambda folder: make_mini(
                folder, workers=0, progress=False, **arguments
            ),
        )

    return make
