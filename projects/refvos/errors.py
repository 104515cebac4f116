"""The error for input that cannot be used."""

import re
from typing import Any

LONGEST_VALUE = 80


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
    shown = repr(value)
    if len(shown) > LONGEST_VALUE:
        shown = f'{shown[: LONGEST_VALUE - 20]}... ({len(shown)} characters)'
    return f'{file}: {field} is {shown}; expected {expected}'


def one_line(error: InputError) -> str:
    """Return the message of an error without a traceback.

    An error from a worker process of a data loader arrives with the worker's
    traceback in its message.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    last = lines[-1].strip() if lines else type(error).__name__
    name = InputError.__name__
    return re.sub(rf'^(\w+\.)*{name}: ', '', last)
