"""What a prepared folder lacks, said one line each."""

from pathlib import Path
from typing import Iterable, List, Sequence, Tuple


def missing_paths(wanted: Iterable[Tuple[Path, str]]) -> List[str]:
    """A line for each path that is not there.

    Args:
        wanted: Paths and what belongs there.
    """
    return [
        f'{path}: missing; expected {what}'
        for path, what in wanted
        if not path.exists()
    ]


def missing_files(folder: Path, names: Sequence[str], what: str) -> List[str]:
    """At most one line for a video's folder: how many files it lacks.

    Args:
        folder: Of one video.
        names: Of the files in it.
        what: What they are, e.g. 'frames'.
    """
    if not folder.is_dir():
        return missing_paths([(folder, f'{len(names)} {what}')])
    there = {path.name for path in folder.iterdir()}
    lacking = [name for name in names if name not in there]
    if not lacking:
        return []
    return [
        f'{folder}: {len(lacking)} of {len(names)} {what} missing, '
        f'{lacking[0]} first'
    ]
