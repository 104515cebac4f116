"""What an expression can claim of an object, and whether it is true.

A claim judges every candidate (an object that the noun fits) with True, False
or None: None where a person could argue. A description singles an object out
only if it is True of that one and False of every other candidate.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from .attributes import MOTION_CLASSES
from .facts import Facts
from .scene import SceneObject

Verdict = Optional[bool]

# Shares of width and height: in its place up to INSIDE, not there from
# OUTSIDE on; for the middle, the distance from it.
INSIDE, OUTSIDE = 0.42, 0.57
MIDDLE_INSIDE, MIDDLE_OUTSIDE = 0.11, 0.19
# Relations: clearly on a side from BESIDE on, in shares of the frame's width,
# and not there only from zero on; in between, a person could argue. SLANT: at
# most so much further across than along.
BESIDE = 0.14
SLANT = 1.3
# Order: the gap between neighbours in a row, in shares of width or height.
ORDER_GAP = 0.09
SIZE_RATIO = 1.25


@dataclass(frozen=True)
class Noun:
    """The attributes that an expression names; None for those it does not."""

    kind: Optional[str] = None
    colour: Optional[str] = None
    size: Optional[str] = None
    fill: Optional[str] = None

    def fits(self, item: SceneObject) -> bool:
        return all(
            wanted is None or wanted == getattr(item, name)
            for name, wanted in vars(self).items()
        )

    def candidates(self, facts: Facts) -> List[int]:
        """The rows of the objects that have all named attributes."""
        return [i for i, o in enumerate(facts.objects) if self.fits(o)]


class Claim:
    """Something said of an object beyond its looks."""

    type: str

    def judge(self, facts: Facts, candidates: Sequence[int]) -> List[Verdict]:
        """Judge every candidate against the whole video."""
        raise NotImplementedError


def always(holds: np.ndarray, fails: np.ndarray) -> Verdict:
    """True if all frames hold, False if all fail, None if mixed or none."""
    if holds.size == 0:
        return None
    if holds.all():
        return True
    return False if fails.all() else None


@dataclass(frozen=True)
class Place(Claim):
    """In a part of the frame, in every frame in which it is seen.

    Args:
        parts: One or two (a corner) of 'left', 'right', 'top', 'bottom', or
            'middle' alone.
    """

    parts: Tuple[str, ...]
    type = 'place'

    def judge(self, facts: Facts, candidates: Sequence[int]) -> List[Verdict]:
        return [
            self._all_parts(facts.centres[candidate][facts.visible[candidate]])
            for candidate in candidates
        ]

    def _all_parts(self, centres: np.ndarray) -> Verdict:
        verdicts = [self._part(part, centres) for part in self.parts]
        if False in verdicts:
            return False
        return None if None in verdicts else True

    @staticmethod
    def _part(part: str, centres: np.ndarray) -> Verdict:
        """``centres`` are those of the visible frames, (V, 2)."""
        if part == 'middle':
            away = np.abs(centres - 0.5).max(1)
            return always(away < MIDDLE_INSIDE, away > MIDDLE_OUTSIDE)
        along = centres[:, 0 if part in ('left', 'right') else 1]
        if part in ('right', 'bottom'):
            along = 1 - along
        return always(along < INSIDE, along > OUTSIDE)


# Claimed motion -> the motions it is true of, those it may be said of too.
MOTION_CLAIMS: Dict[str, Tuple[Tuple[str, ...], Tuple[str, ...]]] = {
    'still': (('still',), ()),
    'moving': (tuple(m for m in MOTION_CLASSES if m != 'still'), ()),
    'sideways': (('left', 'right', 'side to side'), ('circling',)),
    'vertical': (('up', 'down', 'up and down'), ('circling',)),
    'side to side': (('side to side',), ('left', 'right', 'circling')),
    'up and down': (('up and down',), ('up', 'down', 'circling')),
    'circling': (('circling',), ()),
    'left': (('left',), ('side to side', 'circling')),
    'right': (('right',), ('side to side', 'circling')),
    'up': (('up',), ('up and down', 'circling')),
    'down': (('down',), ('up and down', 'circling')),
}
DIRECTIONS = ('left', 'right', 'up', 'down')


@dataclass(frozen=True)
class Motion(Claim):
    """Moving in some way; ``motion`` is a key of ``MOTION_CLAIMS``."""

    motion: str
    type = 'motion'

    def judge(self, facts: Facts, candidates: Sequence[int]) -> List[Verdict]:
        true_of, arguable = MOTION_CLAIMS[self.motion]
        verdicts: List[Verdict] = []
        for candidate in candidates:
            motion = facts.objects[candidate].motion
            verdicts.append(None if motion in arguable else motion in true_of)
        return verdicts


RELATIONS = {
    'left': (0, -1),
    'right': (0, 1),
    'above': (1, -1),
    'below': (1, 1),
}


@dataclass(frozen=True)
class Relation(Claim):
    """On a side of another object, whenever both are seen.

    Args:
        side: A key of ``RELATIONS``.
        anchor: The looks of the other object; they must single it out.
    """

    side: str
    anchor: Noun
    type = 'relation'

    def judge(self, facts: Facts, candidates: Sequence[int]) -> List[Verdict]:
        anchors = self.anchor.candidates(facts)
        if len(anchors) != 1:
            return [None] * len(candidates)
        return [
            False
            if candidate == anchors[0]
            else self._beside(facts, candidate, anchors[0])
            for candidate in candidates
        ]

    def _beside(self, facts: Facts, item: int, anchor: int) -> Verdict:
        both = facts.visible[item] & facts.visible[anchor]
        if 2 * both.sum() < both.size:
            return None
        step = facts.centres[item][both] - facts.centres[anchor][both]
        step = step * [1, facts.aspect]  # in shares of the width
        axis, sign = RELATIONS[self.side]
        along, across = sign * step[:, axis], np.abs(step[:, 1 - axis])
        holds = (along > BESIDE) & (across < SLANT * along)
        return always(holds, along < 0)


@dataclass(frozen=True)
class Order(Claim):
    """A rank among the candidates, the same in every frame.

    Args:
        by: 'left', 'right', 'top', 'bottom' (counted from there), 'largest'
            or 'smallest'.
        rank: 1 for the first.
    """

    by: str
    rank: int = 1
    type = 'order'

    def judge(self, facts: Facts, candidates: Sequence[int]) -> List[Verdict]:
        rows = list(candidates)
        if len(rows) < 2 or self.rank > len(rows):
            return [None] * len(rows)
        if self.by in ('largest', 'smallest'):
            radii = np.log([[facts.objects[i].radius] for i in rows])
            values = -radii if self.by == 'largest' else radii
            gap = np.log(SIZE_RATIO)
        else:
            if not facts.visible[rows].all():
                return [None] * len(rows)
            axis = 0 if self.by in ('left', 'right') else 1
            values = facts.centres[rows][:, :, axis]
            if self.by in ('right', 'bottom'):
                values = 1 - values
            gap = ORDER_GAP
        return self._ranked(values, gap)

    def _ranked(self, values: np.ndarray, gap: float) -> List[Verdict]:
        """``values``: (candidates, T), small ones come first."""
        first = int(np.argsort(values[:, 0])[self.rank - 1])
        others = np.delete(values, first, 0) - values[first]
        before, after = (others < -gap).all(1), (others > gap).all(1)
        if before.sum() != self.rank - 1 or not (before | after).all():
            return [None] * len(values)
        return [row == first for row in range(len(values))]


@dataclass(frozen=True)
class Description:
    """What an expression says: looks, and perhaps a claim."""

    noun: Noun
    claim: Optional[Claim] = None

    @property
    def type(self) -> str:
        return 'appearance' if self.claim is None else self.claim.type

    def singled_out(self, facts: Facts) -> Optional[int]:
        """The row of the only object that fits, None where in doubt."""
        candidates = self.noun.candidates(facts)
        if self.claim is None:
            return candidates[0] if len(candidates) == 1 else None
        verdicts = self.claim.judge(facts, candidates)
        if verdicts.count(True) != 1 or None in verdicts:
            return None
        return candidates[verdicts.index(True)]
