"""Put descriptions into English: lower case, no punctuation.

'left' and 'right' occur as whole words only, so that they can be exchanged
when frames are flipped.
"""

from typing import Dict, List, Tuple

import numpy as np

from .claims import Description, Motion, Noun, Order, Place, Relation

GENERIC = ('object', 'shape', 'thing')
SIZE_WORDS = {'small': ('small', 'little'), 'large': ('large', 'big')}
FILL_AFTER = {'striped': 'with stripes', 'dotted': 'with dots'}

PLACES: Dict[Tuple[str, ...], Tuple[str, ...]] = {
    ('left',): (
        'on the left',
        'on the left side',
        'at the left',
        'in the left half',
    ),
    ('right',): (
        'on the right',
        'on the right side',
        'at the right',
        'in the right half',
    ),
    ('top',): ('at the top', 'near the top', 'in the upper half'),
    ('bottom',): ('at the bottom', 'near the bottom', 'in the lower half'),
    ('middle',): ('in the middle', 'in the centre'),
    ('top', 'left'): ('at the top left', 'in the top left corner'),
    ('top', 'right'): ('at the top right', 'in the top right corner'),
    ('bottom', 'left'): ('at the bottom left', 'in the bottom left corner'),
    ('bottom', 'right'): (
        'at the bottom right',
        'in the bottom right corner',
    ),
}
MOTIONS: Dict[str, Tuple[str, ...]] = {
    'still': (
        'that does not move',
        'that stays still',
        'that is not moving',
        'standing still',
    ),
    'moving': ('that moves', 'that is moving', 'moving around'),
    'sideways': ('moving sideways', 'that moves sideways'),
    'vertical': ('moving vertically', 'that moves vertically'),
    'side to side': ('moving from side to side', 'going from side to side'),
    'up and down': ('moving up and down', 'going up and down'),
    'circling': ('going round and round', 'that is circling', 'circling'),
    'left': ('moving to the left', 'going to the left'),
    'right': ('moving to the right', 'going to the right'),
    'up': ('moving up', 'going up'),
    'down': ('moving down', 'going down'),
}
SIDES: Dict[str, Tuple[str, ...]] = {
    'left': ('to the left of', 'on the left of', 'left of'),
    'right': ('to the right of', 'on the right of', 'right of'),
    'above': ('above', 'higher than', 'over'),
    'below': ('below', 'lower than', 'under'),
}
# Words before and after the noun, by ``Order.by``.
FIRSTS: Dict[str, Tuple[Tuple[str, str], ...]] = {
    'left': (
        ('', 'furthest left'),
        ('', 'furthest to the left'),
        ('first', 'from the left'),
    ),
    'right': (
        ('', 'furthest right'),
        ('', 'furthest to the right'),
        ('first', 'from the right'),
    ),
    'top': (('highest', ''), ('', 'furthest up'), ('first', 'from the top')),
    'bottom': (
        ('lowest', ''),
        ('', 'furthest down'),
        ('first', 'from the bottom'),
    ),
    'largest': (('largest', ''), ('biggest', '')),
    'smallest': (('smallest', ''),),
}
RANKS = {2: 'second', 3: 'third'}


def word(rng: np.random.Generator, description: Description) -> str:
    """Draw one of the wordings of a description."""
    noun, claim = description.noun, description.claim
    before, after = '', ''
    if isinstance(claim, Place):
        after = pick(rng, PLACES[claim.parts])
    elif isinstance(claim, Motion):
        after = pick(rng, MOTIONS[claim.motion])
    elif isinstance(claim, Relation):
        anchor = noun_phrase(rng, claim.anchor, definite=True)
        after = f'{pick(rng, SIDES[claim.side])} {anchor}'
    elif isinstance(claim, Order) and claim.rank == 1:
        before, after = FIRSTS[claim.by][rng.integers(len(FIRSTS[claim.by]))]
    elif isinstance(claim, Order):
        before, after = RANKS[claim.rank], f'from the {claim.by}'
    definite = claim is not None and rng.uniform() < 0.85
    return noun_phrase(rng, noun, before, after, definite or bool(before))


def noun_phrase(
    rng: np.random.Generator,
    noun: Noun,
    before: str = '',
    after: str = '',
    definite: bool = False,
) -> str:
    """Make a noun phrase: determiner, adjectives, noun and what follows.

    Args:
        rng: Random generator.
        noun: The attributes to name.
        before: Words before the other adjectives.
        after: Words at the end.
        definite: Always use 'the'.
    """
    size = pick(rng, SIZE_WORDS[noun.size]) if noun.size else ''
    fill, colour, relative = noun.fill or '', noun.colour or '', ''
    if fill in FILL_AFTER and rng.uniform() < 0.35:
        relative, fill = FILL_AFTER[fill], ''
    elif colour and not after and rng.uniform() < 0.12:
        relative, colour = f'that is {colour}', ''
    head = noun.kind or pick(rng, GENERIC)
    adjectives = [part for part in (before, size, fill, colour) if part]
    draw = rng.uniform()
    determiner = 'the' if definite or draw < 0.55 else 'a'
    if not definite and draw > 0.85:
        determiner = ''
    if noun.kind is None and adjectives and determiner == 'the':
        head = 'one' if rng.uniform() < 0.4 else head
    words = [*adjectives, head, relative, after]
    if determiner == 'a' and words[0][0] in 'aeiou':
        determiner = 'an'
    return ' '.join(part for part in (determiner, *words) if part)


def pick(rng: np.random.Generator, options: Tuple[str, ...]) -> str:
    """Draw one of the options."""
    return options[rng.integers(len(options))]


def vocabulary() -> List[str]:
    """List every part of the templates, for tests and tokenizers."""
    parts = [*GENERIC, *FILL_AFTER.values(), *RANKS.values(), *SIZE_WORDS]
    for table in (PLACES, MOTIONS, SIDES, SIZE_WORDS):
        for options in table.values():
            parts.extend(options)
    for pairs in FIRSTS.values():
        parts.extend(' '.join(pair).strip() for pair in pairs)
    return parts
