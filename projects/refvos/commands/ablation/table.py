"""Read which rows a table has and how they are trained."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, Tuple, Type

from mmengine.fileio import load

from ...errors import InputError


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        config: Path of its config.
        what: What the row changes.
    """

    config: str
    what: str


@dataclass(frozen=True)
class Table:
    """The rows that are compared, and how they are trained and reported.

    Args:
        rows: By name; the others are compared with 'base'.
        starts: Folder -> config of the trainings that come before all rows,
            each from the weights of the one before.
        about_start: What the weights are that the rows start from.
        work_dir: Default folder of the trainings.
        out: Default path of the report, without suffix.
        target: Target of the Makefile that makes the data and the report.
        title: Title of the report.
        about: What is compared; the report appends how long rows train.
        cues: Cues of expressions that have a column of scores.
        seeds: A training per seed and row; without any, one training a row,
            of a random seed.
    """

    rows: Dict[str, Row]
    starts: Dict[str, str]
    about_start: str
    work_dir: str
    out: str
    target: str
    title: str
    about: str
    cues: Tuple[str, ...] = ()
    seeds: Tuple[int, ...] = ()


def load_tables(folder: Path) -> Dict[str, Table]:
    """Read all tables of a folder.

    Args:
        folder: With one ``<name>.yml`` per table, whose keys are the fields
            of :class:`Table`.

    Returns:
        Tables by name, in the order of their files.

    Raises:
        InputError: A file lacks a key, or has one too many.
    """
    return {
        file.stem: load_table(file) for file in sorted(folder.glob('*.yml'))
    }


def load_table(file: Path) -> Table:
    """Read a table; see :func:`load_tables`."""
    entries = {'cues': (), 'seeds': (), **load(str(file))}
    check_keys(file, 'keys', entries, Table)
    rows = {}
    for name, row in entries['rows'].items():
        check_keys(file, f'rows.{name}', row, Row)
        rows[name] = Row(**row)
    lists = {name: tuple(entries[name]) for name in ('cues', 'seeds')}
    return Table(**{**entries, 'rows': rows, **lists})


def check_keys(
    file: Path, field: str, entries: Dict[str, Any], kind: Type
) -> None:
    """Refuse entries that are not exactly the fields of a dataclass."""
    expected = sorted(each.name for each in fields(kind))
    if sorted(entries) != expected:
        raise InputError.of(file, field, sorted(entries), f'{expected}')
