"""Run a reader in a process with limits, and say how it ended."""

import faulthandler
import gc
import os
import re
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from refvos.engine.cli import BAD_INPUT, run_tool
from refvos.errors import InputError

# How a reader may end.
READ, WARNED, REFUSED = 'read', 'warned', 'refused'
RIGHT = (READ, WARNED, REFUSED)
# And how it may not.
HANG, MEMORY, SIGNAL = 'hang', 'memory', 'signal'
TRACEBACK, UNCLEAR = 'traceback', 'unclear'
MEBIBYTE = 1 << 20
LONGEST_FILE = 256 * MEBIBYTE


@dataclass(frozen=True)
class Limits:
    """What a process may take.

    Args:
        seconds: Of the clock, and of the processor.
        memory: Bytes of address space, beyond those of the process that it
            is forked from.
    """

    seconds: float = 20.0
    memory: int = 2048 * MEBIBYTE


@dataclass(frozen=True)
class Outcome:
    """How a reader ended.

    Args:
        kind: One of ``RIGHT``, or a fault.
        line: Its last line, or what was wrong.
        seconds: Time that it took.
        memory: Most bytes that were resident, beyond those at its start.
    """

    kind: str
    line: str = ''
    seconds: float = 0.0
    memory: int = 0


def run_in_limits(
    read: Callable[[Path], object],
    folder: Path,
    output: Path,
    limits: Limits,
) -> Outcome:
    """Run a reader on a folder, in a process forked from this one.

    Args:
        read: Raises ``InputError`` for bad input, as any tool does.
        folder: Its argument. The line that refuses an input must name it.
        output: File that takes what the reader prints.
        limits: Of the process.
    """
    began = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _read_and_exit(read, folder, output, limits)
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        in_time = bool(poll.poll(1000 * limits.seconds))
        # With the processes that it has started; it leads its group.
        if not in_time:
            _kill(pid)
        _, status, used = os.wait4(pid, 0)
    finally:
        os.close(handle)
        _kill(pid)
    seconds = time.monotonic() - began
    text = output.read_text('utf-8', 'replace')
    memory = 1024 * used.ru_maxrss - _resident()
    code = os.waitstatus_to_exitcode(status)
    if not in_time:
        return Outcome(HANG, last_line(text), seconds, memory)
    kind, line = classify(code, text, folder)
    return Outcome(kind, line, seconds, max(0, memory))


def _kill(pid: int) -> None:
    for kill, target in ((os.killpg, pid), (os.kill, pid)):
        try:
            kill(target, signal.SIGKILL)
            return
        except ProcessLookupError:
            continue


def _pages(place: int) -> int:
    values = Path('/proc/self/statm').read_text().split()
    return int(values[place]) * resource.getpagesize()


def _resident() -> int:
    return _pages(1)


def _read_and_exit(
    read: Callable[[Path], object],
    folder: Path,
    output: Path,
    limits: Limits,
) -> None:
    """Be the process: never return."""
    status = 1
    try:
        os.setsid()
        file = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        # Of a terminal or a pipe, which is someone else's.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        faulthandler.enable(2)
        gc.enable()
        cpu = max(1, round(limits.seconds))
        for kind, soft, hard in (
            (resource.RLIMIT_AS, _pages(0) + limits.memory, None),
            (resource.RLIMIT_CPU, cpu, cpu + 1),
            (resource.RLIMIT_FSIZE, LONGEST_FILE, None),
            (resource.RLIMIT_CORE, 0, None),
        ):
            resource.setrlimit(kind, (soft, soft if hard is None else hard))

        def main(argv: Optional[Sequence[str]]) -> None:
            try:
                read(folder)
            except InputError as error:
                if len(str(error).splitlines()) != 1:
                    raise AssertionError(f'not one line: {error!r}') from error
                raise

        status = run_tool(main, [], keep_buffers=False)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # No exit handlers: they are those of the process above.
        os._exit(status)


def classify(code: int, text: str, folder: Path) -> tuple[str, str]:
    """Say how a process ended by its exit status and what it has printed."""
    last = last_line(text)
    if code == 0:
        return (WARNED if 'WARNING' in text else READ), last
    if code == BAD_INPUT:
        clear = last.startswith('error: ') and str(folder) in last
        return (REFUSED if clear else UNCLEAR), last
    if code == -signal.SIGXCPU:
        return HANG, last
    if code < 0:
        return SIGNAL, f'{signal.Signals(-code).name} {place_of(text)}'
    if code == 1 and 'Traceback' in text:
        full = re.match(r'(\w+\.)*\w*(MemoryError|OutOfMemory)', last)
        return (MEMORY if full else TRACEBACK), f'{last} {place_of(text)}'
    return UNCLEAR, f'exit status {code}: {last}'


def last_line(text: str) -> str:
    """Return the last line that is not empty."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ''


def place_of(text: str) -> str:
    """Find the innermost function of the package in what was printed.

    ``faulthandler`` lists the innermost one first, a traceback last.
    """
    found = re.findall(r'File "[^"]*?/(refvos/[^"]+)", line (\d+)', text)
    if not found:
        return ''
    file, line = found[0] if 'most recent call first' in text else found[-1]
    return f'({file}:{line})'
