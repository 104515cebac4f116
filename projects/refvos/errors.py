"""The errors that a user's input can cause."""

from typing import Any

LONGEST_VALUE = 80


class InputError(ValueError):
    """Something given to us can't be used, and we say what.

    Command-line tools print the message as one line and stop with exit
    status 2. The only argument is the message, so that the error survives
    the way back from a data loader's worker process.
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
