"""Rename a published checkpoint's keys, strictly."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, Union

from torch import Tensor

from ..errors import InputError

# A pattern and a new name, or a function of the match that gives it.
Rule = Tuple[str, Union[str, Callable[[re.Match], str]]]
# Patterns and reasons.
Reasons = Sequence[Tuple[str, str]]


@dataclass
class KeyMapping:
    """Map the keys of a published checkpoint to those of our model.

    Args:
        rules: (pattern, replacement) pairs as for ``re.sub``. The first
            pattern that matches a whole key gives its new name; the
            replacement may be a function of the match.
        dropped: (pattern, reason) pairs of keys that have no counterpart.
        values: (pattern, function) pairs: the function is applied to the
            values of our keys that match, where their layout differs.
        part: Common prefix of our keys if the checkpoint is of a part of a
            model, e.g. ``backbone.``.
        fresh: (pattern, reason) pairs of weights of ours that the published
            checkpoint lacks and that keep their initial values.
        model_options: Config entries that the weights need, by dotted name;
            see :mod:`refvos.engine.checkpoint_options`.
    """

    rules: Sequence[Rule]
    dropped: Reasons = ()
    values: Sequence[Tuple[str, Callable[[Tensor], Tensor]]] = ()
    part: str = ''
    fresh: Reasons = ()
    model_options: Mapping[str, Any] = field(default_factory=dict)

    def choose(self, published: Mapping[str, Tensor]) -> 'KeyMapping':
        """Choose the mapping of a checkpoint: always this one."""
        return self

    def rename(self, key: str) -> str:
        """Return our name of a published key, '' if no rule matches."""
        for pattern, replacement in self.rules:
            if re.fullmatch(pattern, key):
                return re.sub(pattern, replacement, key)
        return ''

    def apply(
        self, published: Mapping[str, Tensor], source: str
    ) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """Convert a state dict.

        Args:
            published: The published state dict.
            source: The file it came from, for error messages.

        Returns:
            Our state dict, and the dropped keys with their reasons.

        Raises:
            InputError: A key is neither mapped nor dropped, two keys map
                to one, or a value has another shape than in the published
                model.
        """
        ours: Dict[str, Tensor] = {}
        dropped: Dict[str, str] = {}
        unknown = []
        for key, value in published.items():
            reason = reason_in(self.dropped, key)
            if reason:
                dropped[key] = reason
                continue
            name = self.rename(key)
            if not name:
                unknown.append(key)
            elif name in ours:
                raise InputError.of(
                    source, 'key', key, f'no other key that maps to {name}'
                )
            else:
                ours[name] = self.arrange(name, value, key, source)
        if unknown:
            raise InputError.of(
                source,
                f'key (one of {len(unknown)})',
                unknown[0],
                'a key of the published model',
            )
        return ours, dropped

    def arrange(
        self, name: str, value: Tensor, key: str, source: str
    ) -> Tensor:
        """Bring a value to our layout."""
        for pattern, change in self.values:
            if re.fullmatch(pattern, name):
                try:
                    return change(value)
                except RuntimeError as error:
                    raise InputError.of(
                        source,
                        f'shape of {key}',
                        tuple(value.shape),
                        'that of the published model',
                    ) from error
        return value


@dataclass
class MappingChoice:
    """Mappings of several models; a checkpoint's keys choose one.

    Args:
        choices: (pattern, mapping) pairs; the first pattern that matches any
            whole key gives the mapping.
        default: Mapping of all other checkpoints.
    """

    choices: Sequence[Tuple[str, KeyMapping]]
    default: KeyMapping

    def choose(self, published: Mapping[str, Tensor]) -> KeyMapping:
        """Choose the mapping of a checkpoint by its keys."""
        for pattern, mapping in self.choices:
            if any(re.fullmatch(pattern, key) for key in published):
                return mapping
        return self.default

    def apply(
        self, published: Mapping[str, Tensor], source: str
    ) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """Convert a state dict; see :meth:`KeyMapping.apply`."""
        return self.choose(published).apply(published, source)


def reason_in(reasons: Reasons, key: str) -> str:
    """Return the reason of the first pattern that matches, '' if none."""
    for pattern, reason in reasons:
        if re.fullmatch(pattern, key):
            return reason
    return ''


def describe_dropped(dropped: Mapping[str, str]) -> List[str]:
    """Count the dropped keys; one line per reason."""
    return [
        f'{count} keys dropped: {reason}'
        for reason, count in Counter(dropped.values()).items()
    ]


def describe_fresh(fresh: Mapping[str, str]) -> List[str]:
    """Count the weights that keep their initial values; a line per reason."""
    return [
        f'{count} weights keep their initial values: {reason}'
        for reason, count in Counter(fresh.values()).items()
    ]
