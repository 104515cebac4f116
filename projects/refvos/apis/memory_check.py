"""Refuse videos that do not fit into memory, in a line that names --window."""

import resource
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List

import torch

from ..errors import InputError

MEGABYTE = 1e6
ADVICE = (
    'what fits: answer it in parts (--window N, window=N), or take fewer '
    'frames (--fps N)'
)
# What torch and the system say when there is none left.
SIGNS = (
    'allocate memory',
    'bad_alloc',
    'not enough memory',
    "can't start new thread",
)
CGROUPS = (
    ('memory.max', 'memory.current'),
    ('memory/memory.limit_in_bytes', 'memory/memory.usage_in_bytes'),
)


def free_memory() -> float:
    """Return the bytes that this process can still take, as far as known."""
    found: List[float] = [float('inf')]
    for line in read_text(Path('/proc/meminfo')).splitlines():
        if line.startswith('MemAvailable:'):
            found.append(1024 * float(line.split()[1]))
    for limit, used in CGROUPS:
        root = Path('/sys/fs/cgroup')
        most, now = read_text(root / limit), read_text(root / used)
        if most.strip().isdigit() and now.strip().isdigit():
            found.append(float(most) - float(now))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = read_text(Path('/proc/self/statm')).split()
    if soft != resource.RLIM_INFINITY and pages:
        found.append(soft - int(pages[0]) * resource.getpagesize())
    return max(0.0, min(found))


def read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ''


def check_fits(source: Any, frames: int, area: int) -> None:
    """Refuse frames that do not fit into memory, before they are decoded.

    Args:
        source: The video, for the message.
        frames: Number of frames.
        area: Pixels of each.

    Raises:
        InputError: They need more than is free, as RGB of 8 bits.
    """
    needed, free = 3.0 * frames * area, free_memory()
    if needed > free:
        raise InputError.of(
            source,
            'size in memory',
            f'{needed / MEGABYTE:.0f} MB of {frames} frames, of '
            f'{free / MEGABYTE:.0f} MB that are free',
            ADVICE,
        )


@contextmanager
def memory_errors_named(source: Any) -> Iterator[None]:
    """Turn the many errors of a full memory into one InputError.

    Args:
        source: The video, for the message.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        reason = (str(error) or 'no memory is left').splitlines()[0]
        is_full = isinstance(
            error, (MemoryError, torch.cuda.OutOfMemoryError)
        ) or any(sign in str(error) for sign in SIGNS)
        if not is_full:
            raise
        raise InputError.of(
            source, 'size in memory', f'too large ({reason})', ADVICE
        ) from error
