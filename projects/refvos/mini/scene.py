"""Scenes as pure data, drawn at random."""

from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

import numpy as np

from .attributes import (
    ALL,
    COLOURS,
    FILLS,
    HELD_OUT,
    KINDS,
    MOTION_CLASSES,
    MOTIONS_OF_CLASS,
    SIZES,
    TRAINING,
    Combination,
    draw_combination,
)
from .paths import draw_leaving_path, draw_path

SPLITS = ('train', 'valid', 'test')
# Purpose of a scene: expressions of all kinds; expressions about motion only,
# for two objects of equal looks, one of them still; sounds of different kinds.
SCENES = ('mixed', 'one-moves', 'sound')
# Number of objects -> share of the scenes.
NUM_OBJECTS = {
    'train': {1: 0.15, 2: 0.30, 3: 0.33, 4: 0.22},
    'valid': {2: 0.30, 3: 0.40, 4: 0.30},
    'test': {2: 0.30, 3: 0.40, 4: 0.30},
}
SOUNDING = {2: 0.30, 3: 0.40, 4: 0.30}
# With two objects of a kind, colours and places matter; with two of a colour,
# kinds. Training needs both: a word that rarely matters is not learned.
SAME_KIND = {'train': 0.45, 'valid': 0.9, 'test': 0.9}
# If several objects may share a kind, and if not.
SAME_COLOUR = {
    'train': (0.40, 0.90),
    'valid': (0.35, 0.35),
    'test': (0.35, 0.35),
}
# In scenes for sounds: the last of three or more has the first one's kind.
SAME_SOUND = 0.15
OCCLUDING = 0.40
LEAVING = 0.10
LARGE = 0.45
# Distance of two centres over the sum of the radii: apart above FREE, one
# clearly behind the other within OCCLUDED.
FREE = 1.02
OCCLUDED = (0.35, 0.62)
TRIES_PER_OBJECT = 40


def partner(look: Combination) -> Combination:
    """Return the still combination of the same looks."""
    return replace(look, motion_class='still')


# Moving objects of 'one-moves' scenes, per split.
_MOVING = tuple(look for look in ALL if look.motion_class != 'still')
_UNSEEN = tuple(m for m in _MOVING if HELD_OUT & {m, partner(m)})
PAIRS = {
    'train': tuple(m for m in _MOVING if not HELD_OUT & {m, partner(m)}),
    'valid': _UNSEEN,
    'test': _UNSEEN,
}


@dataclass(frozen=True)
class SceneObject:
    """An object of a scene.

    Args:
        id: '1', '2', ...: its value in the masks.
        kind, colour, size, fill, motion: Names from ``attributes``.
        radius: Nominal radius in pixels.
        path: Centre in every frame, x and y in pixels.
        angles: Rotation in every frame, in radians.
        depth: Larger values are nearer to the viewer.
    """

    id: str
    kind: str
    colour: str
    size: str
    fill: str
    motion: str
    radius: float
    path: Tuple[Tuple[float, float], ...]
    angles: Tuple[float, ...]
    depth: int

    @property
    def combination(self) -> Combination:
        return Combination(self.colour, self.kind, MOTION_CLASSES[self.motion])

    @property
    def unseen(self) -> bool:
        """Tell whether no training scene has such an object."""
        return self.combination in HELD_OUT


@dataclass(frozen=True)
class Scene:
    """A video before rendering; ``texture_seed`` is for the background."""

    img_shape: Tuple[int, int]
    num_frames: int
    objects: Tuple[SceneObject, ...]
    texture_seed: int


def draw_scene(
    rng: np.random.Generator,
    split: str,
    img_shape: Tuple[int, int] = (96, 128),
    num_frames: int = 8,
    scenes: str = 'mixed',
) -> Scene:
    """Draw a scene for a split.

    Training scenes have no held-out combination, validation and test scenes
    at least one.

    Args:
        rng: Random generator.
        split: One of ``SPLITS``.
        img_shape: (height, width) of the frames in pixels.
        num_frames: T.
        scenes: One of ``SCENES``.
    """
    if scenes == 'one-moves':
        objects = draw_pair(rng, split, img_shape, num_frames)
    else:
        objects = draw_objects(rng, split, img_shape, num_frames, scenes)
    return Scene(
        img_shape,
        num_frames,
        number(rng, objects),
        int(rng.integers(2**31)),
    )


def draw_objects(
    rng: np.random.Generator,
    split: str,
    img_shape: Tuple[int, int],
    num_frames: int,
    scenes: str,
) -> List[SceneObject]:
    """Draw the objects of a scene, see :func:`draw_scene`."""
    numbers = SOUNDING if scenes == 'sound' else NUM_OBJECTS[split]
    count = int(rng.choice(list(numbers), p=list(numbers.values())))
    occluding = count > 1 and rng.uniform() < OCCLUDING
    leaving = num_frames >= 6 and rng.uniform() < LEAVING
    draw = draw_sounding if scenes == 'sound' else draw_looks
    objects = None
    while objects is None:
        looks = draw(rng, split, count)
        objects = place(rng, looks, img_shape, num_frames, occluding, leaving)
    return objects


def draw_looks(
    rng: np.random.Generator, split: str, count: int
) -> List[Combination]:
    """Draw colours, kinds and motions, some of which are shared."""
    same_kind = rng.uniform() < SAME_KIND[split]
    same_colour = SAME_COLOUR[split][0 if same_kind else 1]
    looks: List[Combination] = []
    for index in range(count):
        kind: Optional[str] = str(rng.choice(KINDS))
        colour: Optional[str] = str(rng.choice(list(COLOURS)))
        if looks and same_kind and (index == 1 or rng.uniform() < 0.4):
            kind = looks[0].kind
        if looks and rng.uniform() < same_colour:
            colour = looks[rng.integers(len(looks))].colour
        allowed = TRAINING
        if split != 'train':
            unseen = index == 0 or rng.uniform() < 0.35
            allowed = tuple(sorted(HELD_OUT)) if unseen else ALL
        looks.append(draw_combination(rng, allowed, kind, colour))
    return looks


def draw_sounding(
    rng: np.random.Generator, split: str, count: int
) -> List[Combination]:
    """Draw objects of at least two kinds, usually one of each."""
    kinds = [str(kind) for kind in rng.permutation(KINDS)[:count]]
    if count > 2 and rng.uniform() < SAME_SOUND:
        kinds[-1] = kinds[0]
    looks = []
    for index, kind in enumerate(kinds):
        allowed = TRAINING
        if split != 'train':
            unseen = index == 0 or rng.uniform() < 0.35
            allowed = tuple(sorted(HELD_OUT)) if unseen else ALL
        colour = str(rng.choice(list(COLOURS)))
        looks.append(draw_combination(rng, allowed, kind, colour))
    return looks


def place(
    rng: np.random.Generator,
    looks: List[Combination],
    img_shape: Tuple[int, int],
    num_frames: int,
    occluding: bool,
    leaving: bool,
) -> Optional[List[SceneObject]]:
    """Give every object a size and a path; None if they do not fit.

    Args:
        rng: Random generator.
        looks: Combinations of the objects.
        img_shape: (height, width) of the frames in pixels.
        num_frames: T.
        occluding: Let the last object pass in front of or behind another.
        leaving: Let one object leave the frame and come back.
    """
    objects: List[SceneObject] = []
    for index, look in enumerate(looks):
        size = 'large' if rng.uniform() < LARGE else 'small'
        leaves = leaving and look.motion_class in ('sideways', 'vertical')
        leaving = leaving and not leaves
        crossed = None
        if occluding and index == len(looks) - 1:
            crossed = int(rng.integers(index))
        for _ in range(TRIES_PER_OBJECT):
            candidate = draw_object(
                rng, look, size, img_shape, num_frames, leaves
            )
            if has_room(candidate, objects, crossed):
                objects.append(candidate)
                break
        else:
            return None
    return None if leaving else objects


def draw_pair(
    rng: np.random.Generator,
    split: str,
    img_shape: Tuple[int, int],
    num_frames: int,
) -> List[SceneObject]:
    """Draw two objects of equal looks, one of them still.

    A single frame must not reveal which one moves. Both get paths of the
    same motion, far from each other; one of them is then frozen at a random
    time of its path, so that each frame is equally likely with the roles
    exchanged.
    """
    look = draw_combination(rng, PAIRS[split])
    size = 'large' if rng.uniform() < LARGE else 'small'
    while True:
        one, other = (
            draw_object(rng, look, size, img_shape, num_frames, leaves=False)
            for _ in range(2)
        )
        steps = np.array(one.path)[:, None] - np.array(other.path)
        gaps = np.linalg.norm(steps, axis=-1) / (one.radius + other.radius)
        if one.motion == other.motion and gaps.min() >= FREE:
            break
    moment = int(rng.integers(num_frames))
    stopped = replace(
        other,
        fill=one.fill,
        motion='still',
        path=(other.path[moment],) * num_frames,
        angles=(other.angles[moment],) * num_frames,
    )
    return [one, stopped]


def draw_object(
    rng: np.random.Generator,
    look: Combination,
    size: str,
    img_shape: Tuple[int, int],
    num_frames: int,
    leaves: bool,
) -> SceneObject:
    """Draw radius, motion, path, angles and fill of an object."""
    unit = min(img_shape[0] / 96, img_shape[1] / 128)
    radius = float(rng.uniform(*SIZES[size]) * unit)
    motion = str(rng.choice(MOTIONS_OF_CLASS[look.motion_class]))
    if leaves:
        swings = {'sideways': 'side to side', 'vertical': 'up and down'}
        motion = swings[look.motion_class]
        path = draw_leaving_path(rng, motion, radius, img_shape, num_frames)
    else:
        path = draw_path(rng, motion, radius, img_shape, num_frames, unit)
    # Small turns only: a square on its corner would be a diamond.
    first, last = np.deg2rad(rng.uniform(-9, 9, 2))
    angles = np.linspace(
        first, first if motion == 'still' else last, num_frames
    )
    return SceneObject(
        id='',
        kind=look.kind,
        colour=look.colour,
        size=size,
        fill=str(rng.choice(FILLS, p=[0.6, 0.2, 0.2])),
        motion=motion,
        radius=radius,
        path=tuple((float(x), float(y)) for x, y in path),
        angles=tuple(float(angle) for angle in angles),
        depth=0,
    )


def has_room(
    candidate: SceneObject,
    objects: List[SceneObject],
    crossed: Optional[int],
) -> bool:
    """Tell whether a candidate overlaps no object but ``crossed``."""
    for index, other in enumerate(objects):
        steps = np.array(candidate.path) - np.array(other.path)
        gaps = np.linalg.norm(steps, axis=1)
        gaps = gaps / (candidate.radius + other.radius)
        if index != crossed:
            if gaps.min() < FREE:
                return False
            continue
        least, most = OCCLUDED
        if not least <= gaps.min() <= most:
            return False
        if (gaps < 0.85).mean() > 0.5:
            return False
    return True


def number(
    rng: np.random.Generator, objects: List[SceneObject]
) -> Tuple[SceneObject, ...]:
    """Assign random ids and depths, so that neither gives a hint."""
    order = rng.permutation(len(objects))
    depths = rng.permutation(len(objects))
    return tuple(
        replace(objects[source], id=str(position + 1), depth=int(depth))
        for position, (source, depth) in enumerate(
            zip(order, depths, strict=True)
        )
    )
