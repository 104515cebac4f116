"""The error for input that cannot be used."""

import os
import re
from collections.abc import Callable
from numbers import Number
from typing import Any

LONGEST_VALUE = 80
# Of a field or a file's name, and of an expectation, in characters.
LONGEST_NAME, LONGEST_TEXT = 1000, 4000
LARGEST_INT = 256  # In bits.
# The repr() of their objects is short.
SHORT_MODULES = ('datetime', 'decimal', 'fractions', 'numpy', 'torch')
# What ends a line, or makes a terminal do something.
CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


class InputError(ValueError):
    """Input cannot be used; the message says why in one line.

    Command-line tools print the message and stop with exit status 2. The only
    argument is the message, so that the error can be passed on from the
    worker process of a data loader.
    """

    @classmethod
    def of(
        cls, file: Any, field: str, value: Any, expected: str
    ) -> 'InputError':
        """Compose the message from its four parts.

        Args:
            file: The file (or other source) that was read.
            field: Which entry of it, e.g. ``videos.cat.expressions.0.exp``.
            value: What was found there; long values are cut.
            expected: What should have been there.
        """
        return cls(describe(file, field, value, expected))


def describe(file: Any, field: str, value: Any, expected: str) -> str:
    """Say in one line what is wrong: file, field, value, expectation."""
    line = (
        f'{cut(str(file), LONGEST_NAME)}: {cut(field, LONGEST_NAME)} is '
        f'{short_repr(value)}; expected {cut(expected, LONGEST_TEXT)}'
    )
    return CONTROL.sub(escape, line)


def escape(found: 're.Match[str]') -> str:
    """Write a control character as Python does."""
    return found[0].encode('unicode_escape').decode()


def cut(text: str, longest: int) -> str:
    """Cut a long text, and say so."""
    if len(text) <= longest:
        return text
    return f'{text[: longest - 20]}... ({len(text)} characters)'


class _LongEnough(Exception):
    """Ends the writing of a value."""


def short_repr(value: Any) -> str:
    """Show a value in about ``LONGEST_VALUE`` characters.

    Time and memory are bounded whatever the value holds: a few hundred bytes
    of a pickle can stand for lists of lists whose ``repr`` fills the memory.
    Tensors and arrays are shown by their shape, unknown objects by their
    type.
    """
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        shown = repr(value[:LONGEST_VALUE])[: LONGEST_VALUE - 20]
        return f'{shown}... ({len(value)} characters)'
    text = ''

    def add(part: str) -> None:
        nonlocal text
        text += part
        if len(text) > LONGEST_VALUE:
            raise _LongEnough

    try:
        _write(value, add)
    except _LongEnough:
        return f'{text[: LONGEST_VALUE - 20]}...{_length(value)}'
    return text


def _length(value: Any) -> str:
    sized = isinstance(value, (list, tuple, set, frozenset, dict, bytes))
    return f' ({type(value).__name__} of {len(value)})' if sized else ''


def _write(value: Any, add: Callable[[str], None]) -> None:
    """Write a value part by part; ``add`` ends it when there is enough."""
    if isinstance(value, dict):
        add('{')
        for number, (key, item) in enumerate(value.items()):
            add(', ' if number else '')
            _write(key, add)
            add(': ')
            _write(item, add)
        add('}')
    elif isinstance(value, (list, tuple)):
        is_list = isinstance(value, list)
        add('[' if is_list else '(')
        for number, item in enumerate(value):
            add(', ' if number else '')
            _write(item, add)
        add(']' if is_list else ',)' if len(value) == 1 else ')')
    elif isinstance(value, (set, frozenset)) and value:
        add('{')
        for number, item in enumerate(value):
            add(', ' if number else '')
            _write(item, add)
        add('}')
    else:
        add(_leaf(value))


def _leaf(value: Any) -> str:
    """Show what has no members."""
    if isinstance(value, (str, bytes, bytearray)):
        return repr(value[: LONGEST_VALUE + 1])
    if isinstance(value, int) and value.bit_length() > LARGEST_INT:
        return f'<int of {value.bit_length()} bits>'
    if value is None or isinstance(
        value, (Number, os.PathLike, range, type, set, frozenset)
    ):
        return repr(value)
    name = type(value).__name__
    shape = getattr(value, 'shape', None)
    if isinstance(shape, tuple):
        return f'<{name} {tuple(shape)}>'
    if type(value).__module__.split('.')[0] in SHORT_MODULES:
        return repr(value)
    return f'<{name}>'


def one_line(error: InputError) -> str:
    """Return the message of an error without a traceback.

    An error from a worker process of a data loader arrives with the worker's
    traceback in its message.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    last = lines[-1].strip() if lines else type(error).__name__
    name = InputError.__name__
    return re.sub(rf'^(\w+\.)*{name}: ', '', last)
