"""Read the lists of data sets: JSON, CSV, and pickles of plain data."""

import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Dict, List

from ..errors import InputError
from .missing_file import EXPECTED, missing_file


def load_json(file: Path, expected: str = EXPECTED) -> Any:
    """Read a JSON file in UTF-8.

    Args:
        file: Its path.
        expected: What the file is, for the message if it is missing.

    Raises:
        InputError: The file is missing or not JSON.
    """
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise missing_file(file, expected) from None
    except ValueError as error:
        raise InputError.of(
            file, 'file', str(error), 'well-formed JSON'
        ) from None


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
    try:
        with open(file, encoding='utf-8-sig', newline='') as stream:
            return [
                {
                    name: (value or '').strip()
                    for name, value in row.items()
                    # DictReader's key of the values beyond the last column.
                    if name is not None
                }
                for row in csv.DictReader(stream)
            ]
    except FileNotFoundError:
        raise missing_file(file) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError.of(
            file, 'file', str(error), 'a CSV file in UTF-8'
        ) from None


class PlainUnpickler(pickle.Unpickler):
    """Unpickle lists, tuples, dicts, sets, strings, bytes and numbers only.

    A pickle makes anything else by naming a class or function of some
    module; every such name is refused, so that no code can run.
    """

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f'{module}.{name} wanted')


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
    if file.exists() and not file.is_file():
        # Reading a FIFO would wait for its writer.
        raise InputError.of(
            file, 'file', 'no regular file', f'a pickle of {allowed}'
        )
    try:
        with open(file, 'rb') as stream:
            # Python 2's strings are bytes; RefCOCO's are ASCII.
            return unpickler(stream, encoding='latin-1').load()
    except FileNotFoundError:
        raise missing_file(file) from None
    # A broken stream makes the unpickler fail in any way.
    except Exception as error:
        raise InputError.of(
            file,
            'content',
            str(error) or type(error).__name__,
            f'a whole pickle of {allowed}',
        ) from None
