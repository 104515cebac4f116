"""Parse ``--cfg-options KEY=VALUE``."""

import argparse
from collections.abc import Sequence
from typing import Any, Dict, List, Optional, Union

from ..errors import InputError

OPTION = '--cfg-options'
QUOTES = '\'"'
BRACKETS = {'(': ')', '[': ']'}


class OptionsAction(argparse.Action):
    """Collect ``KEY=VALUE`` arguments in a dict, see :func:`parse_value`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Union[str, Sequence[Any], None],
        option_string: Optional[str] = None,
    ) -> None:
        options: Dict[str, Any] = dict(getattr(namespace, self.dest) or {})
        for given in values or ():
            key, equals, text = str(given).partition('=')
            if not key or not equals:
                raise InputError.of(OPTION, 'option', given, 'KEY=VALUE')
            try:
                options[key] = parse_value(text)
            except ValueError as error:
                raise InputError.of(
                    OPTION, key, text, f'a value ({error})'
                ) from None
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> Any:
    """Parse a number, True, False, None, a text, or a list or tuple of these.

    A list is written ``[a,b]`` and a tuple ``(a,b)``; without brackets, only
    numbers and the like form a list, so that a path may have commas. Quotes
    around a text are removed; a quoted text is not parsed any further.

    Raises:
        ValueError: Brackets are unbalanced, or are inside of a text with
            commas, whose meaning is not clear.
    """
    text = text.strip()
    if is_quoted(text):
        return text[1:-1]
    if text[:1] in BRACKETS and text.endswith(BRACKETS[text[0]]):
        parts = split_at_commas(text[1:-1])
        if parts is not None:
            values = [parse_value(part) for part in parts]
            return tuple(values) if text[0] == '(' else values
    if ',' not in text:
        return parse_scalar(text)
    if any(bracket in text for bracket in '()[]{}'):
        raise ValueError(
            'a list is written "[a,b]"; a text with brackets and commas is '
            'put in quotes of its own: KEY=\'"f(a,b)"\''
        )
    parts = [part.strip() for part in text.split(',') if part.strip()]
    values = [parse_value(part) for part in parts]
    if any(v == part for v, part in zip(values, parts)):
        return text
    return values


def is_quoted(text: str) -> bool:
    """Tell whether a text is between two quotes of a kind."""
    return len(text) > 1 and text[0] in QUOTES and text[-1] == text[0]


def split_at_commas(text: str) -> Optional[List[str]]:
    """Split at the commas outside of brackets and quotes.

    Returns:
        The parts, without an empty one at the end; None if a bracket closes
        what is not open here, as in ``a],[b``.

    Raises:
        ValueError: A bracket or a quote is not closed.
    """
    parts, start = [], 0
    open_brackets: List[str] = []
    quote = ''
    for place, char in enumerate(text):
        if quote:
            quote = '' if char == quote else quote
        elif char in QUOTES:
            quote = char
        elif char in BRACKETS:
            open_brackets.append(BRACKETS[char])
        elif char in BRACKETS.values():
            if not open_brackets or open_brackets.pop() != char:
                return None
        elif char == ',' and not open_brackets:
            parts.append(text[start:place])
            start = place + 1
    if quote or open_brackets:
        raise ValueError('a bracket or a quote is not closed')
    parts.append(text[start:])
    return parts if parts[-1].strip() else parts[:-1]


def parse_scalar(text: str) -> Any:
    """Parse a number, True, False or None; else return the text."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    return None if text == 'None' else text
