"""Damage small files of every format; see that the readers stand it.

    python -m tests.fuzz --inputs 5000 --seed 1       (make fuzz N=5000 SEED=1)

Each input is read in a process of its own with limits of time and memory,
forked from one that has imported everything. Right is that it is read (with
or without a warning), or refused in one line that names the file, with exit
status 2. Wrong are a traceback, a signal, a hang and memory beyond the limit.

    python -m tests.fuzz --seed 1 --again 'picture a.png/17'

reads one input again and shows what is printed; ``--keep`` keeps the files of
all inputs at which something was wrong.
"""

import argparse
import gc
import importlib
import os
import random
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import cv2
import torch
from tqdm import tqdm

from refvos.engine.cli import run_tool
from refvos.errors import InputError
from tests.fuzzing.door import Door
from tests.fuzzing.limits import (
    MEBIBYTE,
    RIGHT,
    Limits,
    Outcome,
    run_in_limits,
)

DOORS = 'tests.fuzzing.doors'
SHOWN = 5  # Faults of a kind.


class Input(NamedTuple):
    """A damaged file: one of a door, by its number."""

    door: int
    number: int


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--inputs', type=int, default=1000, help='of all doors together')
    add('--seed', default='0')
    add('--jobs', type=int, default=os.cpu_count(), help='at the same time')
    add('--seconds', type=float, default=Limits.seconds, help='for an input')
    add(
        '--memory',
        type=int,
        default=Limits.memory // MEBIBYTE,
        metavar='MIB',
        help='for an input',
    )
    add('--doors', default=DOORS, help='module that lists them')
    add('--only', default='', metavar='TEXT', help='doors named so')
    add('--cold', action='store_true', help='do not read whole files first')
    add('--again', metavar='DOOR/NUMBER', help='read one input again')
    add('--keep', type=Path, metavar='DIR', help='of the wrong inputs')
    return parser.parse_args(argv)


class Fuzzer:
    """Damage the files of doors, and read them.

    Args:
        doors: The doors.
        root: A folder to work in.
        seed: Decides, with a door's name and a number, each input.
        limits: Of a reader.
    """

    def __init__(
        self, doors: Sequence[Door], root: Path, seed: str, limits: Limits
    ) -> None:
        self.doors, self.root = doors, root
        self.seed, self.limits = seed, limits

    def fill(self) -> None:
        """Make the files."""
        for door in self.doors:
            folder = self.folder_of(door, 'made')
            if not folder.exists():
                folder.mkdir(parents=True)
                door.make(folder)

    def warm_up(self) -> None:
        """Read all files as they are.

        What is loaded at the first call is then there in all processes.

        Raises:
            InputError: A door refuses its own file.
        """
        with silent():
            for door in self.doors:
                self.restore(door, 'first')
                door.read(self.folder_of(door, 'first'))

    def folder_of(self, door: Door, who: str) -> Path:
        return self.root / who / door.make.__name__

    def restore(self, door: Door, who: str) -> Path:
        """Copy a door's folder for a process; return the file's path."""
        folder = self.folder_of(door, who)
        if not folder.exists():
            shutil.copytree(
                self.folder_of(door, 'made'), folder, symlinks=True
            )
        return folder / door.file

    def content(self, chosen: Input) -> bytes:
        """Make the damaged file of an input."""
        door = self.doors[chosen.door]
        whole = (self.folder_of(door, 'made') / door.file).read_bytes()
        name = f'{self.seed}/{door.name}/{chosen.number}'
        return door.mutate(whole, random.Random(name))

    def run(self, chosen: Input) -> Outcome:
        """Read an input in a process of its own."""
        door, who = self.doors[chosen.door], f'process-{os.getpid()}'
        file = self.restore(door, who)
        file.write_bytes(self.content(chosen))
        try:
            return run_in_limits(
                door.read,
                self.folder_of(door, who),
                self.output(who),
                self.limits,
            )
        finally:
            made = self.folder_of(door, 'made') / door.file
            shutil.copyfile(made, file)

    def output(self, who: str) -> Path:
        return self.root / f'{who}.txt'


@contextmanager
def silent() -> Iterator[None]:
    """Drop what is printed, also by loggers and libraries in C."""
    sys.stdout.flush()
    before = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        yield
        sys.stdout.flush()
    finally:
        for stream, place in zip((1, 2), before):
            os.dup2(place, stream)
            os.close(place)
        os.close(nowhere)


_fuzzer: Fuzzer


def _run(chosen: Input) -> Tuple[Input, Outcome]:
    # The processes of the pool are forked when this is set.
    return chosen, _fuzzer.run(chosen)


def run_all(
    fuzzer: Fuzzer, inputs: Sequence[Input], jobs: int
) -> Iterator[Tuple[Input, Outcome]]:
    """Read inputs, some at the same time."""
    global _fuzzer
    _fuzzer = fuzzer
    with ProcessPoolExecutor(jobs, get_context('fork')) as pool:
        yield from pool.map(_run, inputs, chunksize=4)


def check_threads() -> None:
    """Refuse to fork a process with threads, which may hold locks."""
    count = len(list(Path('/proc/self/task').iterdir()))
    if count > 1:
        raise InputError.of(
            'fuzz', 'threads', count, '1 before a fork: OMP_NUM_THREADS=1'
        )


class Report:
    """Count outcomes by door, and keep what was wrong."""

    def __init__(self, doors: Sequence[Door]) -> None:
        self.doors = doors
        self.counts: Dict[str, Counter] = defaultdict(Counter)
        self.wrong: List[Tuple[Input, Outcome]] = []
        self.slowest, self.largest = Outcome(''), Outcome('')

    def add(self, chosen: Input, outcome: Outcome) -> None:
        name = self.doors[chosen.door].name
        self.counts[name][outcome.kind] += 1
        if outcome.kind not in RIGHT:
            self.wrong.append((chosen, outcome))
        self.slowest = max(
            self.slowest, outcome, key=lambda each: each.seconds
        )
        self.largest = max(self.largest, outcome, key=lambda each: each.memory)

    def table(self) -> List[str]:
        """Write the counts as a table in Markdown."""
        lines = [
            '| File | Inputs | Read | With a warning | Refused | Wrong |',
            '| --- | --- | --- | --- | --- | --- |',
        ]
        total: Counter = Counter()
        for name, counts in [*self.counts.items(), ('all', total)]:
            right = [counts[kind] for kind in RIGHT]
            inputs = sum(counts.values())
            cells = [name, inputs, *right, inputs - sum(right)]
            lines.append(f'| {" | ".join(map(str, cells))} |')
            if counts is not total:
                total.update(counts)
        return lines

    def faults(self) -> Iterator[str]:
        """Describe what was wrong, a few of each kind."""
        groups: Dict[Tuple[str, str], List[str]] = defaultdict(list)
        for chosen, outcome in self.wrong:
            name = self.doors[chosen.door].name
            place = outcome.line.rpartition('(')[2]
            groups[outcome.kind, place].append(
                f'{outcome.kind}: {name}/{chosen.number}: {outcome.line}'
            )
        for lines in groups.values():
            yield from lines[:SHOWN]
            if lines[SHOWN:]:
                yield f'  and {len(lines) - SHOWN} more like it'


def find_input(doors: Sequence[Door], text: str) -> Input:
    """Find an input by ``DOOR/NUMBER``."""
    name, _, number = text.rpartition('/')
    names = [door.name for door in doors]
    if name not in names or not number.isdecimal():
        raise InputError.of('fuzz', '--again', text, f'NAME/1 of {names}')
    return Input(names.index(name), int(number))


def read_again(fuzzer: Fuzzer, text: str) -> int:
    """Read an input again; show what is printed and how it ends."""
    outcome = fuzzer.run(find_input(fuzzer.doors, text))
    print(fuzzer.output(f'process-{os.getpid()}').read_text(errors='replace'))
    print(f'{outcome.kind}: {outcome.line}')
    return int(outcome.kind not in RIGHT)


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_args(argv)
    doors = [
        door
        for door in importlib.import_module(args.doors).DOORS
        if args.only in door.name
    ]
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    tqdm.monitor_interval = 0  # It is a thread.
    # Else every data set that is built searches all of torch for garbage.
    gc.collect()
    gc.freeze()
    limits = Limits(args.seconds, args.memory * MEBIBYTE)
    with tempfile.TemporaryDirectory(prefix='fuzz-') as folder:
        fuzzer = Fuzzer(doors, Path(folder), args.seed, limits)
        fuzzer.fill()
        if not args.cold:
            fuzzer.warm_up()
        check_threads()
        if args.again:
            sys.exit(read_again(fuzzer, args.again))
        inputs = [
            Input(number % len(doors), number // len(doors))
            for number in range(args.inputs)
        ]
        report = Report(doors)
        for chosen, outcome in run_all(fuzzer, inputs, args.jobs):
            report.add(chosen, outcome)
            if args.keep and outcome.kind not in RIGHT:
                door = doors[chosen.door]
                name = f'{door.name}-{chosen.number}{Path(door.file).suffix}'
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / name).write_bytes(fuzzer.content(chosen))
    print('\n'.join(report.table()))
    print(
        f'\nseed {args.seed}; slowest {report.slowest.seconds:.1f} s; most '
        f'memory {report.largest.memory / MEBIBYTE:.0f} MiB'
    )
    for line in report.faults():
        print(line)
    sys.exit(int(bool(report.wrong)))


if __name__ == '__main__':
    sys.exit(run_tool(partial(main), keep_buffers=False))
