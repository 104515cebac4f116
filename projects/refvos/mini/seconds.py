"""Frames of a soundtrack's seconds, and the kinds visible in them."""

from typing import Dict, List

import numpy as np

from .facts import Facts

SECONDS = 5
# Visible pixels that a source must have to be recognised.
SMALLEST_AREA = 24


def times_of_seconds(num_frames: int) -> List[int]:
    """Return the frame of each second: evenly spaced, with both ends."""
    spread = np.linspace(0, num_frames - 1, SECONDS).round()
    return [int(time) for time in spread]


def steady_kinds(facts: Facts) -> List[str]:
    """List the kinds that are visible in every second.

    If some of them have a single object, only those: all objects of a kind
    are one source.
    """
    times = times_of_seconds(facts.areas.shape[1])
    seen = facts.areas[:, times] >= SMALLEST_AREA
    rows: Dict[str, List[int]] = {}
    for row, item in enumerate(facts.objects):
        rows.setdefault(item.kind, []).append(row)
    steady = [kind for kind in rows if seen[rows[kind]].any(0).all()]
    single = [kind for kind in steady if len(rows[kind]) == 1]
    return single or steady
