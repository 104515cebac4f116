"""Rename a published checkpoint's keys, strictly."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Sequence, Tuple

from torch import Tensor

from ..errors import InputError

Rules = Sequence[Tuple[str, str]]


@dataclass
class KeyMapping:
    """How published keys become ours.

    Args:
        rules: (pattern, replacement) pairs as of ``re.sub``. The first
            pattern that matches a whole key gives its new name; a function
            may stand in the replacement's place.
        dropped: (pattern, reason) pairs of keys that have no counterpart.
        values: (pattern, function) pairs: what happens to the values of our
            keys that match, where they are arranged in another way.
        part: What our keys begin with, where the checkpoint is not of a
            whole model: ``backbone.``.
        fresh: (pattern, reason) pairs of weights of ours that the published
            checkpoint lacks and that start anew.
    """

    rules: Sequence[tuple]
    dropped: Rules = ()
    values: Sequence[Tuple[str, Callable[[Tensor], Tensor]]] = ()
    part: str = ''
    fresh: Rules = ()

    def choose(self, published: Mapping[str, Tensor]) -> 'KeyMapping':
        """The mapping for a checkpoint: always this one."""
        return self

    def rename(self, key: str) -> str:
        """Give our name of a published key; '' where none is known."""
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
                to one, or a value can't be arranged as ours.
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
        """Arrange a value as ours of that name is."""
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
        choices: (pattern, mapping) pairs; the first whose pattern matches
            any whole key is taken.
        default: For all other checkpoints.
    """

    choices: Sequence[Tuple[str, KeyMapping]]
    default: KeyMapping

    def choose(self, published: Mapping[str, Tensor]) -> KeyMapping:
        """The mapping for a checkpoint."""
        for pattern, mapping in self.choices:
            if any(re.fullmatch(pattern, key) for key in published):
                return mapping
        return self.default

    def apply(
        self, published: Mapping[str, Tensor], source: str
    ) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """Convert a state dict; see :meth:`KeyMapping.apply`."""
        return self.choose(published).apply(published, source)


def reason_in(rules: Rules, key: str) -> str:
    """The reason beside the first pattern that matches; '' if none does."""
    for pattern, reason in rules:
        if re.fullmatch(pattern, key):
            return reason
    return ''


def describe_dropped(dropped: Mapping[str, str]) -> List[str]:
    """One line a reason: how many keys were dropped for it."""
    return [
        f'{count} keys dropped: {reason}'
        for reason, count in Counter(dropped.values()).items()
    ]


def describe_fresh(fresh: Mapping[str, str]) -> List[str]:
    """One line a reason: how many of our weights start anew for it."""
    return [
        f'{count} weights start anew: {reason}'
        for reason, count in Counter(fresh.values()).items()
    ]
