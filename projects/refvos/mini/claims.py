"""Claims that expressions make about objects, and whether they are true.

A claim judges every candidate (an object that has the named attributes) with
True, False or None, for cases that are open to debate. A description singles
out an object only if it is True for that one and False for all others.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from .attributes import MOTION_CLASSES
from .facts import Facts
from .scene import SceneObject

Verdict = Optional[bool]

# Distances from a border as shares of width or height: at that side below
# INSIDE, not at it above OUTSIDE. The same as distances from the middle.
INSIDE, OUTSIDE = 0.42, 0.57
MIDDLE_INSIDE, MIDDLE_OUTSIDE = 0.11, 0.19
# Relations, in shares of the frame's width: on a side beyond BESIDE, not on it
# below zero, open to debate in between. SLANT is the largest ratio of the
# distance across the axis to that along it.
BESIDE = 0.14
SLANT = 1.3
# Order: smallest gap between neighbours, as a share of width or height.
ORDER_GAP = 0.09
SIZE_RATIO = 1.25


@dataclass(frozen=True)
class Noun:
    """The attributes that an expression names; None for the others."""

    kind: Optional[str] = None
    colour: Optional[str] = None
    size: Optional[str] = None
    fill: Optional[str] = None

    def fits(self, item: SceneObject) -> bool:
        """Tell whether an object has all named attributes."""
        return all(
            wanted is None or wanted == getattr(item, name)
            for name, wanted in vars(self).items()
        )

    def candidates(self, facts: Facts) -> List[int]:
        """List the indices of the objects with all named attributes."""
        return [i for i, o in enumerate(facts.objects) if self.fits(o)]


class Claim:
    """A statement about an object beyond its looks."""

    type: str

    def judge(self, facts: Facts, candidates: Sequence[int]) -> List[Verdict]:
        """Judge every candidate, by its index, against the whole video."""
        raise NotImplementedError


def always(holds: np.ndarray, fails: np.ndarray) -> Verdict:
    """Return True if all frames hold, False if all fail, else None."""
    if holds.size == 0:
        return None
    if holds.all():
        return True
    return False if fails.all() else None


@dataclass(frozen=True)
class Place(Claim):
    """Being in a part of the frame, whenever the object is visible.

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
        """Judge one part by the centres in the visible frames, (V, 2)."""
        if part == 'middle':
            away = np.abs(centres - 0.5).max(1)
            return always(away < MIDDLE_INSIDE, away > MIDDLE_OUTSIDE)
        along = centres[:, 0 if part in ('left', 'right') else 1]
        if part in ('right', 'bottom'):
            along = 1 - along
        return always(along < INSIDE, along > OUTSIDE)


# Claimed motion -> motions for which it is true, motions open to debate.
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
    """Moving in a certain way; ``motion`` is a key of ``MOTION_CLAIMS``."""

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
    """Being on a side of another object, whenever both are visible.

    Args:
        side: A key of ``RELATIONS``.
        anchor: Attributes of the other object; they must single it out.
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
    """Having a rank among the candidates, the same in every frame.

    Args:
        by: 'left', 'right', 'top' or 'bottom', from which ranks count, or
            'largest' or 'smallest'.
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
        """Judge by values, (candidates, T), of which the smallest is first."""
        first = int(np.argsort(values[:, 0])[self.rank - 1])
        others = np.delete(values, first, 0) - values[first]
        before, after = (others < -gap).all(1), (others > gap).all(1)
        if before.sum() != self.rank - 1 or not (before | after).all():
            return [None] * len(values)
        return [row == first for row in range(len(values))]


@dataclass(frozen=True)
class Description:
    """The meaning of an expression: attributes, and optionally a claim."""

    noun: Noun
    claim: Optional[Claim] = None

    @property
    def type(self) -> str:
        return 'appearance' if self.claim is None else self.claim.type

    def singled_out(self, facts: Facts) -> Optional[int]:
        """Return the index of the only object that fits; None if in doubt."""
        candidates = self.noun.candidates(facts)
        if self.claim is None:
            return candidates[0] if len(candidates) == 1 else None
        verdicts = self.claim.judge(facts, candidates)
        if verdicts.count(True) != 1 or None in verdicts:
            return None
        return candidates[verdicts.index(True)]
