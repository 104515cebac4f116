"""Rename a published checkpoint's keys, strictly."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

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
    """

    rules: Sequence[tuple]
    dropped: Rules = ()

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
            InputError: A key is neither mapped nor dropped, or two keys
                map to one.
        """
        ours: Dict[str, Tensor] = {}
        dropped: Dict[str, str] = {}
        unknown = []
        for key, value in published.items():
            reason = self.reason_to_drop(key)
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
                ours[name] = value
        if unknown:
            raise InputError.of(
                source,
                f'key (one of {len(unknown)})',
                unknown[0],
                'a key of the published model',
            )
        return ours, dropped

    def reason_to_drop(self, key: str) -> str:
        for pattern, reason in self.dropped:
            if re.fullmatch(pattern, key):
                return reason
        return ''


def describe_dropped(dropped: Mapping[str, str]) -> List[str]:
    """One line a reason: how many keys were dropped for it."""
    return [
        f'{count} keys dropped: {reason}'
        for reason, count in Counter(dropped.values()).items()
    ]
