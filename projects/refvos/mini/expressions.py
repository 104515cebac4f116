"""Generate expressions for the objects of a scene: draw, then prove.

An expression is kept only if its description, evaluated on the scene, fits
exactly one object. One with a claim (place, motion, relation, order) is kept
only if the attributes alone would not single out the object.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional

import numpy as np

from .claims import (
    DIRECTIONS,
    MOTION_CLAIMS,
    RELATIONS,
    Claim,
    Description,
    Motion,
    Noun,
    Order,
    Place,
    Relation,
)
from .facts import Facts
from .scene import SceneObject
from .wording import PLACES, word

KINDS_OF_EXPRESSION = (
    'appearance',
    'place',
    'motion',
    'relation',
    'order',
)
# Shares of the attempts. Chosen so that those of the expressions are about
# 45, 20, 10, 15 and 10 %.
WEIGHTS = {
    'appearance': 0.25,
    'place': 0.38,
    'motion': 0.09,
    'relation': 0.32,
    'order': 0.08,
}
# Objects of equal looks differ in their motion only.
MOTION_WEIGHTS = {'motion': 1.0}
# Share of such training scenes with expressions for the still object. If both
# were referred to equally often, a model would have to learn at once what
# moves and what the words mean: neither alone lowers its loss.
STILL_SHARE = 0.2
# Motion and order are learned last: training has more of them.
TRAINING_WEIGHTS = {**WEIGHTS, 'motion': 0.27, 'order': 0.14}
TRIES = 24
NUM_EXPRESSIONS = {2: 0.35, 3: 0.40, 4: 0.25}
DIRECTION_SHARE = 0.15


@dataclass(frozen=True)
class Expression:
    """One expression for one object.

    Args:
        text: Lower case, no punctuation.
        kind: One of ``KINDS_OF_EXPRESSION``.
        object_id: The referred object; None for a null expression (none is
            made yet).
        unseen: The object has a held-out combination.
        description: Its meaning, which was proven.
    """

    text: str
    kind: str
    object_id: Optional[str]
    unseen: bool
    description: Description


def express(
    rng: np.random.Generator,
    facts: Facts,
    split: str,
    scenes: str = 'mixed',
) -> List[Expression]:
    """Make up to four expressions per object, in random order."""
    weights = TRAINING_WEIGHTS if split == 'train' else WEIGHTS
    if scenes == 'one-moves':
        weights = MOTION_WEIGHTS
    expressions: List[Expression] = []
    for target, item in enumerate(facts.objects):
        wanted = int(
            rng.choice(list(NUM_EXPRESSIONS), p=list(NUM_EXPRESSIONS.values()))
        )
        found: Dict[str, Expression] = {}
        for kind in draw_kinds(rng, wanted, weights):
            if len(found) == wanted:
                break
            description = search(rng, facts, target, kind)
            if description is None:
                continue
            text = word(rng, description)
            found[text] = Expression(
                text, kind, item.id, item.unseen, description
            )
        expressions.extend(found.values())
    return [expressions[i] for i in rng.permutation(len(expressions))]


def leave_out_still(
    rng: np.random.Generator, expressions: List[Expression], facts: Facts
) -> List[Expression]:
    """Keep expressions for still objects in ``STILL_SHARE`` of scenes."""
    if rng.uniform() < STILL_SHARE:
        return expressions
    still = {item.id for item in facts.objects if item.motion == 'still'}
    return [each for each in expressions if each.object_id not in still]


def draw_kinds(
    rng: np.random.Generator, wanted: int, weights: Dict[str, float]
) -> List[str]:
    """Draw the kinds to try, more than wanted: many searches fail."""
    shares = np.array(list(weights.values()))
    kinds = rng.choice(list(weights), size=3 * wanted, p=shares / shares.sum())
    return [str(kind) for kind in kinds]


def search(
    rng: np.random.Generator, facts: Facts, target: int, kind: str
) -> Optional[Description]:
    """Draw descriptions of a kind until one singles out the target."""
    for _ in range(TRIES):
        description = propose(rng, facts, target, kind)
        if description.singled_out(facts) != target:
            continue
        plain = Description(description.noun)
        if description.claim is None or plain.singled_out(facts) is None:
            return description
    return None


def propose(
    rng: np.random.Generator, facts: Facts, target: int, kind: str
) -> Description:
    """Draw a description of a kind that may or may not fit the target."""
    item = facts.objects[target]
    if kind == 'appearance':
        return Description(draw_noun(rng, item, 0.8, 0.7, 0.3, 0.25))
    noun = draw_noun(rng, item, 0.65, 0.25, 0.12, 0.08)
    return Description(noun, draw_claim(rng, facts, target, kind))


def draw_noun(
    rng: np.random.Generator,
    item: SceneObject,
    kind: float,
    colour: float,
    size: float,
    fill: float,
) -> Noun:
    """Draw which attributes to name, each with its probability."""
    if item.fill == 'plain':
        fill *= 0.3
    return Noun(
        kind=item.kind if rng.uniform() < kind else None,
        colour=item.colour if rng.uniform() < colour else None,
        size=item.size if rng.uniform() < size else None,
        fill=item.fill if rng.uniform() < fill else None,
    )


def draw_claim(
    rng: np.random.Generator, facts: Facts, target: int, kind: str
) -> Claim:
    """Draw a claim of the kind; half the motions are the target's own."""
    if kind == 'place':
        places = list(PLACES)
        return Place(places[rng.integers(len(places))])
    if kind == 'motion':
        directed = rng.uniform() < DIRECTION_SHARE
        motions = [
            name
            for name, (true_of, _) in MOTION_CLAIMS.items()
            if (name in DIRECTIONS) == directed
            and (directed or facts.objects[target].motion in true_of)
        ]
        return Motion(motions[rng.integers(len(motions))])
    if kind == 'relation':
        others = [o for i, o in enumerate(facts.objects) if i != target]
        sides = list(RELATIONS)
        side = sides[rng.integers(len(sides))]
        if not others:
            return Relation(side, Noun())
        anchor = others[rng.integers(len(others))]
        return Relation(side, draw_noun(rng, anchor, 0.9, 0.6, 0.15, 0.15))
    ways = [
        *((side, 1) for side in ('left', 'right', 'top', 'bottom')),
        *((side, 2) for side in ('left', 'right', 'top', 'bottom')),
        *((side, 3) for side in ('left', 'right')),
        ('largest', 1),
        ('smallest', 1),
    ]
    return Order(*ways[rng.integers(len(ways))])
