"""Make a whole video of RefVOS-Mini from its seed, split and index."""

from dataclasses import dataclass
from typing import Dict, List, Tuple

import numpy as np

from .expressions import Expression, express, leave_out_still
from .facts import Facts, measure
from .render import Rendering, render
from .scene import SCENES, SPLITS, Scene, draw_scene
from .seconds import steady_kinds

FRAME_STEP = 5  # Ref-YouTube-VOS names every fifth frame of its source


@dataclass(frozen=True)
class MiniVideo:
    """A rendered scene with its expressions.

    Args:
        name: Name of the video, unique over all splits.
        frame_names: Names of the frames.
        scene: The scene.
        rendering: Frames and masks.
        facts: Areas and centres, measured on the masks.
        expressions: Expressions in the order of their ids '0', '1', ...;
            none in scenes for sounds.
    """

    name: str
    frame_names: Tuple[str, ...]
    scene: Scene
    rendering: Rendering
    facts: Facts
    expressions: List[Expression]

    @property
    def drawn(self) -> Dict[str, List[str]]:
        """Object id -> names of the frames in which it is visible."""
        return {
            item.id: [
                name
                for name, area in zip(self.frame_names, row, strict=True)
                if area
            ]
            for item, row in zip(
                self.scene.objects, self.facts.areas, strict=True
            )
        }


def make_video(
    seed: int,
    split: str,
    index: int,
    num_frames: int = 8,
    img_shape: Tuple[int, int] = (96, 128),
    scenes: str = 'mixed',
) -> MiniVideo:
    """Make video ``index`` of a split from the arguments alone.

    Scenes are drawn until every object has an expression; scenes for sounds
    until a kind is visible in every second.
    """
    key = [seed, SPLITS.index(split), index]
    if scenes != 'mixed':
        key.append(SCENES.index(scenes))
    rng = np.random.default_rng(key)
    while True:
        scene = draw_scene(rng, split, img_shape, num_frames, scenes)
        rendering = render(scene)
        facts = measure(scene, rendering.ids)
        if scenes == 'sound':
            expressions: List[Expression] = []
            if steady_kinds(facts):
                break
            continue
        expressions = express(rng, facts, split, scenes)
        referred = {expression.object_id for expression in expressions}
        if len(referred) == len(scene.objects):
            break
    if scenes == 'one-moves' and split == 'train':
        expressions = leave_out_still(rng, expressions, facts)
    return MiniVideo(
        name=f'{split}_{index:05d}',
        frame_names=tuple(
            f'{FRAME_STEP * time:05d}' for time in range(num_frames)
        ),
        scene=scene,
        rendering=rendering,
        facts=facts,
        expressions=expressions,
    )
