"""Kill a training again and again; what it learns must not change.

    python -m tests.torture --kills 26            (make torture KILLS=26)

trains a small model twice: once in peace, once with SIGKILLs at moments that
the seed chooses (the process alone, or all of its group, while it starts,
steps or writes) and ``--resume`` after each. Then every loss, the weights and
the optimizer's state must be equal to the last bit, and neither a process nor
a temporary file may be left.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch

from refvos.engine.cli import run_tool
from refvos.errors import InputError
from refvos.io.safe_checkpoint import load_checkpoint_file
from refvos.mini import make_mini

ROOT = Path(__file__).parents[1]
CONFIG = 'configs/mini/referformer_mini.py'
MARK = 'REFVOS_TORTURE'
STEPS = 3  # Between two kills, at most.
PATIENCE, GRACE = 600, 30  # Seconds for a step, and for the end.


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--kills', type=int, default=26)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--processes', type=int, default=1, help='of the training'
    )
    return parser.parse_args(argv)


class Training:
    """A training in a folder; started anew, it is resumed."""

    def __init__(
        self, work: Path, data: Path, steps: int, processes: int
    ) -> None:
        self.work, self.mark = work, uuid.uuid4().hex
        tool = [sys.executable, 'tools/train.py', CONFIG]
        if processes > 1:
            tool = ['tools/dist_train.sh', CONFIG, str(processes)]
        self.command = [
            *(*tool, '--work-dir', str(work), '--resume', '--cfg-options'),
            *(f'train_cfg.max_iters={steps}', 'log_processor.window_size=1'),
            f'train_cfg.val_interval={steps}',
            f'train_dataloader.dataset.data_root={data}',
            f'val_dataloader.dataset.data_root={data}',
            *('train_dataloader.batch_size=2', 'val_dataloader.num_workers=0'),
            'val_dataloader.persistent_workers=False',
            'default_hooks.logger.interval=1',
            'default_hooks.checkpoint.by_epoch=False',
            'default_hooks.checkpoint.interval=1',
            'default_hooks.checkpoint.max_keep_ckpts=2',
            'randomness.seed=1',
        ]

    def start(self, number: int) -> 'subprocess.Popen[bytes]':
        paths = [ROOT / 'projects', *filter(None, [os.getenv('PYTHONPATH')])]
        self.work.mkdir(parents=True, exist_ok=True)
        with open(self.work / f'output-{number}', 'wb') as output:
            return subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={
                    **os.environ,
                    'PYTHONPATH': os.pathsep.join(map(str, paths)),
                    'PYTHON': sys.executable,
                    'OMP_NUM_THREADS': '1',
                    MARK: self.mark,
                },
            )

    def records(self) -> Iterator[Dict[str, Any]]:
        """All logged lines; of a kill, the last one may be cut short."""
        for file in sorted(self.work.glob('*/vis_data/scalars.json')):
            for line in file.read_text().splitlines():
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def losses(self) -> Dict[int, List[Any]]:
        """What was logged at each step, in all runs that reached it."""
        found: Dict[int, List[Any]] = {}
        for record in self.records():
            if 'loss' in record:
                values = {k: v for k, v in record.items() if 'loss' in k}
                found.setdefault(record['step'], []).append(values)
        return found

    def processes(self) -> List[int]:
        """Numbers of the processes that still live."""
        found = []
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                environment = (folder / 'environ').read_bytes()
                state = (folder / 'stat').read_text().rpartition(')')[2]
            except OSError:
                continue
            mark = f'{MARK}={self.mark}'.encode()
            if mark in environment and state.split()[0] != 'Z':
                found.append(int(folder.name))
        return found

    def wait_for_end(self) -> List[int]:
        """Wait until no process is left; return those that stay."""
        until = time.time() + GRACE
        while self.processes() and time.time() < until:
            time.sleep(0.2)
        return self.processes()

    def last_line(self, number: int) -> str:
        text = (self.work / f'output-{number}').read_text(errors='replace')
        return (text.splitlines() or [''])[-1]


def train_in_peace(training: Training) -> None:
    status = training.start(0).wait()
    if status:
        raise InputError.of(
            CONFIG, 'exit status', status, training.last_line(0)
        )


def kill_once(training: Training, number: int, chance: random.Random) -> str:
    """Start or resume a training, and kill it; return what was wrong."""
    process = training.start(number)
    began = time.time()
    before = max(training.losses(), default=0)
    # One in four dies while it starts.
    early = chance.random() < 0.25
    delay = chance.uniform(1, 15) if early else chance.uniform(0, 0.5)
    target = before if early else before + chance.randint(1, STEPS)
    while max(training.losses(), default=0) < target:
        if process.poll() is not None:
            return f'exit {process.returncode}: {training.last_line(number)}'
        if time.time() - began > PATIENCE:
            return f'no step in {PATIENCE} seconds'
        time.sleep(0.02)
    time.sleep(delay)
    if chance.random() < 0.5:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    left = training.wait_for_end()
    for each in left:
        os.kill(each, signal.SIGKILL)
    return f'{len(left)} processes outlived it' if left else ''


def differences(calm: Training, tortured: Training, last: str) -> List[str]:
    """Compare all that was logged, and the last checkpoints."""
    found = []
    expected = calm.losses()
    for step, all_values in sorted(tortured.losses().items()):
        if any([values] != expected.get(step) for values in all_values):
            found.append(f'losses of step {step} differ')
    if set(tortured.losses()) != set(expected):
        found.append('steps are missing')
    ours, theirs = (
        load_checkpoint_file(str(each.work / last))
        for each in (tortured, calm)
    )
    for part in ('state_dict', 'optimizer'):
        if not equal(ours[part], theirs[part]):
            found.append(f'{part} differs')
    found += [
        f'{path.name} is left'
        for path in tortured.work.rglob('*')
        if '.tmp-' in path.name
    ]
    return found


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            equal(one[key], other[key]) for key in one
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_args(argv)
    chance, steps = random.Random(args.seed), STEPS * (args.kills + 1)
    with tempfile.TemporaryDirectory(prefix='torture-') as folder:
        data = Path(folder, 'data')
        make_mini(data, 8, 1, 1, frames=4, workers=0, progress=False)
        calm, tortured = (
            Training(Path(folder, name), data, steps, args.processes)
            for name in ('calm', 'tortured')
        )
        train_in_peace(calm)
        wrong = []
        for number in range(args.kills):
            said = kill_once(tortured, number, chance)
            step = max(tortured.losses(), default=0)
            print(f'kill {number + 1}: step {step} {said}', flush=True)
            wrong += [f'kill {number + 1}: {said}'] if said else []
        status = tortured.start(args.kills).wait()
        if status:
            said = tortured.last_line(args.kills)
            wrong.append(f'exit {status} at the end: {said}')
        left = tortured.wait_for_end()
        wrong += [f'processes {left} are left'] if left else []
        wrong += differences(calm, tortured, f'iter_{steps}.pth')
    if wrong:
        raise InputError('; '.join(wrong))
    print(f'{args.kills} kills, {steps} steps: all losses and weights equal')


if __name__ == '__main__':
    sys.exit(run_tool(main))
