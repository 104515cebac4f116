"""Read the lists of data sets: JSON, CSV, and pickles of plain data."""

import csv
import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Dict, List

from ..errors import InputError
from .local_files import read_local_bytes
from .missing_file import EXPECTED, missing_file
from .tensor_pickle import TensorUnpickler


def load_json(file: Path, expected: str = EXPECTED) -> Any:
    """Read a JSON file in UTF-8.

    Args:
        file: Its path.
        expected: What the file is, for the message if it is missing.

    Raises:
        InputError: The file is missing or not JSON.
    """
    content = read_list(file, expected)
    try:
        return json.loads(content.decode())
    # Lists within lists within lists ... end in a RecursionError.
    except (RecursionError, ValueError) as error:
        raise InputError.of(
            file, 'file', str(error), 'well-formed JSON'
        ) from None


def read_list(file: Path, expected: str = EXPECTED) -> bytes:
    """Read the bytes of a list of a data set.

    Raises:
        InputError: The file is missing, a folder or a named pipe, or cannot
            be read.
    """
    if not os.path.lexists(file):
        raise missing_file(file, expected)
    return read_local_bytes(file, expected)


def load_json_entries(file: Path, key: str) -> Dict[str, Any]:
    """Read one top-level entry of a JSON file, itself entries by name.

    Raises:
        InputError: The file is missing or not JSON, or lacks the entry.
    """
    content = load_json(file)
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise InputError.of(file, key, found, f'an entry {key!r} by name')
    return found


def load_csv(file: Path) -> List[Dict[str, str]]:
    """Read a CSV file in UTF-8 with column names in its first line.

    Returns:
        One dict per row, column -> value without surrounding white space;
        values beyond the last column are dropped.

    Raises:
        InputError: The file is missing or not CSV.
    """
    content = read_list(file)
    try:
        stream = io.StringIO(content.decode('utf-8-sig'), newline='')
        return [
            {
                name: (value or '').strip()
                for name, value in row.items()
                # DictReader's key of the values beyond the last column.
                if name is not None
            }
            for row in csv.DictReader(stream)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError.of(
            file, 'file', str(error), 'a CSV file in UTF-8'
        ) from None


class PlainUnpickler(TensorUnpickler):
    """Unpickle lists, tuples, dicts, sets, strings, bytes and numbers only.

    A pickle makes anything else by naming a class or function of some
    module; every such name is refused, so that no code can run. Keys are
    checked as in pickles of tensors: C's unpickler would take their hash.
    """

    dispatch = dict(TensorUnpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f'{module}.{name} wanted'[:200])

    def load_inst(self) -> None:
        """Refuse the oldest way to name a class, as all others."""
        module, name = (self.readline()[:-1].decode() for _ in range(2))
        self.find_class(module, name)

    dispatch[pickle.INST[0]] = load_inst


def load_plain_pickle(file: Path) -> Any:
    """Read a pickle of plain data, written by Python 2 or 3.

    Raises:
        InputError: The file is missing or broken, or names a class or
            function; none of its code has run then.
    """
    return load_pickle(
        file, PlainUnpickler, 'lists, dicts, strings and numbers alone'
    )


def load_pickle(
    file: Path, unpickler: Callable[..., Any], allowed: str
) -> Any:
    """Read a pickle with a restricted unpickler.

    Args:
        file: Its path.
        unpickler: Refuses whatever is not allowed.
        allowed: What it allows, for messages.

    Raises:
        InputError: As :func:`load_plain_pickle`.
    """
    stream = io.BytesIO(read_list(file))
    try:
        # Python 2's strings are bytes; RefCOCO's are ASCII.
        return unpickler(stream, encoding='latin-1').load()
    # A broken stream makes the unpickler fail in any way.
    except Exception as error:
        raise InputError.of(
            file,
            'content',
            str(error) or type(error).__name__,
            f'a whole pickle of {allowed}',
        ) from None
