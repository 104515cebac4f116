"""Pickles that others made: data, never code."""

import pickle
from pathlib import Path
from typing import Any, Type

from ..errors import InputError


class PlainUnpickler(pickle.Unpickler):
    """Gives lists, tuples, dicts, sets, strings, bytes, numbers; no more.

    A pickle makes anything else by naming a class or function of some
    module; none is looked up.
    """

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f'{module}.{name} wanted')


def load_plain_pickle(file: Path) -> Any:
    """Read a pickle of plain data, written by Python 2 or 3.

    Raises:
        InputError: Where the file is missing or broken, or holds anything
            that is not plain data; nothing of it has run then.
    """
    return load_pickle(
        file, PlainUnpickler, 'lists, dicts, strings and numbers alone'
    )


def load_pickle(
    file: Path, unpickler: Type[PlainUnpickler], allowed: str
) -> Any:
    """Read a pickle of what an unpickler gives; ``allowed`` says what.

    Raises:
        InputError: As of :func:`load_plain_pickle`.
    """
    try:
        with open(file, 'rb') as stream:
            # Python 2's strings are bytes; RefCOCO's are ASCII.
            return unpickler(stream, encoding='latin-1').load()
    except FileNotFoundError:
        raise InputError.of(
            file, 'file', 'missing', 'a file of the data set'
        ) from None
    # A broken stream makes the unpickler fail in any of these ways.
    except (
        pickle.UnpicklingError,
        AttributeError,
        EOFError,
        IndexError,
        KeyError,
        OverflowError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError.of(
            file,
            'content',
            str(error) or type(error).__name__,
            f'a whole pickle of {allowed}',
        ) from None
