"""What a soundtrack can be about: its seconds' frames, kinds seen there."""

from typing import Dict, List

import numpy as np

from .facts import Facts

SECONDS = 5
# Visible pixels from which on a source can be told.
SMALLEST_AREA = 24


def times_of_seconds(num_frames: int) -> List[int]:
    """The frame of each second: evenly spread, the ends included."""
    spread = np.linspace(0, num_frames - 1, SECONDS).round()
    return [int(time) for time in spread]


def steady_kinds(facts: Facts) -> List[str]:
    """Kinds of which something is seen in every second.

    Where there are kinds with a single object among them, only those: the
    objects of one kind are one source.
    """
    times = times_of_seconds(facts.areas.shape[1])
    seen = facts.areas[:, times] >= SMALLEST_AREA
    rows: Dict[str, List[int]] = {}
    for row, item in enumerate(facts.objects):
        rows.setdefault(item.kind, []).append(row)
    steady = [kind for kind in rows if seen[rows[kind]].any(0).all()]
    single = [kind for kind in steady if len(rows[kind]) == 1]
    return single or steady
