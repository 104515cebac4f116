"""Train in processes of their own, score, and report how it was done."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from ..errors import InputError
from . import test

# Steps between two records of the log.
LOG_INTERVAL = 50
KINDS = {'right': 'test', 'wrong': 'test_with_wrong_references'}


def train_with(scripts: Path, config: str, processes: int) -> List[str]:
    """Compose the command that trains with a config.

    Args:
        scripts: Folder of ``train.py`` and ``dist_train.sh``.
        config: Path of the config.
        processes: Number of processes.
    """
    if processes > 1:
        # Relative, as one would type it: reports show the command.
        script = os.path.relpath(scripts / 'dist_train.sh')
        return ['bash', script, config, str(processes)]
    return [sys.executable, str(scripts / 'train.py'), config]


def run_training(command: Sequence[str]) -> None:
    """Run a command with one thread per process.

    For small tensors, two processes of one thread each take three quarters
    of the time of one process with two threads.

    Raises:
        SystemExit: The command failed and has said why.
    """
    environment = {'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable}
    done = subprocess.run(
        command, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        raise SystemExit(done.returncode)


def training_seconds(folders: Iterable[Path]) -> float:
    """Sum up the time of all logged iterations, lost ones included.

    Args:
        folders: Work folders of the trainings.
    """
    total = 0.0
    for file in chain(*(logs_of(folder) for folder in folders)):
        previous = None
        for record in training_records(file):
            step = record['step']
            # `time` is the mean over the iterations since the last record.
            count = LOG_INTERVAL if previous is None else step - previous
            total += record['time'] * count
            previous = step
    return total


def last_step_seconds(folder: Path) -> float:
    """Return the last logged mean time per step; the first steps are slower.

    Raises:
        InputError: Nothing was logged.
    """
    times = [
        record['time']
        for file in logs_of(folder)
        for record in training_records(file)
    ]
    if not times:
        raise InputError.of(
            folder, 'logged steps', 0, 'a trial that was logged'
        )
    return times[-1]


def logs_of(folder: Path) -> List[Path]:
    """List the logs of a training and its restarts, oldest first."""
    return sorted(folder.glob('*/vis_data/scalars.json'))


def training_records(log: Path) -> Iterator[Dict[str, Any]]:
    """Read the records of training steps; others are of tests."""
    for record in map(json.loads, log.read_text().splitlines()):
        if 'loss' in record:
            yield record


def score(
    config: str,
    weights: str,
    folder: str,
    options: Sequence[str] = (),
    name: Optional[str] = None,
) -> Dict[str, Dict[str, float]]:
    """Score weights on the test set, with right and wrong references.

    Args:
        config: Path of the config.
        weights: Path of the weights.
        folder: Work folder of the tests.
        options: For ``--cfg-options``.
        name: Beginning of the names of the two runs. By default mmengine
            names them by their time, in seconds.

    Returns:
        Metrics by name, to two decimals: ``test`` and
        ``test_with_wrong_references``.
    """
    scores = {}
    for kind, key in KINDS.items():
        arguments = [config, weights, '--work-dir', folder]
        if kind == 'wrong':
            arguments.append('--wrong-references')
        entries = [f'experiment_name={name}-{kind}'] if name else []
        entries += options
        if entries:
            arguments += ['--cfg-options', *entries]
        metrics = test.main(arguments)
        scores[key] = {k: round(float(v), 2) for k, v in metrics.items()}
    return scores


def current_commit() -> str:
    """Name the git commit, marked if files differ from it."""
    return subprocess.run(
        ['git', 'describe', '--always', '--dirty', '--abbrev=12'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
