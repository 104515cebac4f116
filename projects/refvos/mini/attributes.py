"""Looks and motions of the objects in RefVOS-Mini."""

import itertools
from dataclasses import dataclass
from typing import Dict, FrozenSet, Optional, Tuple

import numpy as np

KINDS = ('circle', 'square', 'triangle', 'star', 'cross', 'ring', 'diamond')
# RGB. Hues are at least 40 degrees apart, so that a photometric distortion
# does not turn one colour into another.
COLOURS: Dict[str, Tuple[int, int, int]] = {
    'red': (215, 35, 35),
    'yellow': (240, 215, 30),
    'green': (40, 175, 60),
    'cyan': (50, 215, 225),
    'blue': (45, 75, 225),
    'pink': (245, 95, 200),
    'white': (245, 245, 245),
}
# Nominal radius in pixels at 96 x 128: that of a circle of about the same
# area.
SIZES: Dict[str, Tuple[float, float]] = {
    'small': (12.5, 14.5),
    'large': (18.5, 21.5),
}
FILLS = ('plain', 'striped', 'dotted')

# Motion -> coarser class, by which combinations are held out.
MOTION_CLASSES: Dict[str, str] = {
    'still': 'still',
    'left': 'sideways',
    'right': 'sideways',
    'side to side': 'sideways',
    'up': 'vertical',
    'down': 'vertical',
    'up and down': 'vertical',
    'circling': 'circling',
}
MOTION_CLASS_SHARES: Dict[str, float] = {
    'still': 0.28,
    'sideways': 0.28,
    'vertical': 0.22,
    'circling': 0.22,
}
MOTIONS_OF_CLASS: Dict[str, Tuple[str, ...]] = {
    name: tuple(m for m, c in MOTION_CLASSES.items() if c == name)
    for name in MOTION_CLASS_SHARES
}


@dataclass(frozen=True, order=True)
class Combination:
    """Colour, kind and class of motion of an object.

    Held-out combinations occur in no training scene.
    """

    colour: str
    kind: str
    motion_class: str


def choose_held_out(share: float = 0.2) -> FrozenSet[Combination]:
    """Choose the combinations held out of training, equal for all seeds.

    At most one class of motion is held out per pair of colour and kind, and
    the classes take turns: every colour, kind and motion, and every pair of
    them, still occurs in training.

    Args:
        share: Share of all combinations that is held out.
    """
    pairs = list(itertools.product(COLOURS, KINDS))
    classes = list(MOTION_CLASS_SHARES)
    order = np.random.default_rng(20).permutation(len(pairs))
    count = round(share * len(pairs) * len(classes))
    return frozenset(
        Combination(colour, kind, classes[turn % len(classes)])
        for turn, (colour, kind) in enumerate(pairs[i] for i in order[:count])
    )


ALL = tuple(
    Combination(*parts)
    for parts in itertools.product(COLOURS, KINDS, MOTION_CLASS_SHARES)
)
HELD_OUT = choose_held_out()
TRAINING = tuple(c for c in ALL if c not in HELD_OUT)


def draw_combination(
    rng: np.random.Generator,
    allowed: Tuple[Combination, ...],
    kind: Optional[str] = None,
    colour: Optional[str] = None,
) -> Combination:
    """Draw one of ``allowed`` with the given kind and colour.

    The colour is ignored if no allowed combination has both.
    """
    fitting = [c for c in allowed if kind is None or c.kind == kind]
    both = [c for c in fitting if colour is None or c.colour == colour]
    fitting = both or fitting
    shares = np.array([MOTION_CLASS_SHARES[c.motion_class] for c in fitting])
    return fitting[rng.choice(len(fitting), p=shares / shares.sum())]
