"""Image transforms on clips, and what they do to the words."""

import re
from contextlib import nullcontext
from dataclasses import replace
from typing import Optional

from mmcv.transforms import BaseTransform, TransformBroadcaster
from mmcv.transforms.utils import cache_random_params
from mmdet.registry import TRANSFORMS

OTHER_SIDE = {'left': 'right', 'right': 'left'}


@TRANSFORMS.register_module()
class TransformFrames(TransformBroadcaster):
    """Apply image transforms to every frame of a clip alike.

    mmcv's broadcaster with the frames as dicts of their own, so that what
    belongs to the clip needs no place in each of them.

    Required Keys: frames. Modified Keys: frames. Returns None where a
    transform does so for any frame.

    Args:
        transforms: Image transforms (mmcv's, mmdet's, ...).
        share_random_params: Draw random parameters once a clip.
    """

    def __init__(
        self, transforms: list, share_random_params: bool = True
    ) -> None:
        super().__init__(transforms, share_random_params=share_random_params)

    def transform(self, results: dict) -> Optional[dict]:
        shared = (
            cache_random_params(self.transforms)
            if self.share_random_params
            else nullcontext()
        )
        with shared:
            frames = [
                self._apply_transforms(frame) for frame in results['frames']
            ]
        if any(frame is None for frame in frames):
            return None
        results['frames'] = frames
        return results


@TRANSFORMS.register_module()
class SwapSidesInText(BaseTransform):
    """Exchange the words left and right where the frames were flipped.

    Only whole words: not in "leftover" or "bright".

    Required Keys: frames[].flip, references. Modified Keys: references.
    """

    def transform(self, results: dict) -> dict:
        frame = results['frames'][0]
        if frame.get('flip') and frame['flip_direction'] != 'vertical':
            results['references'] = [
                replace(reference, text=swap_sides(reference.text))
                for reference in results['references']
            ]
        return results


def swap_sides(text: Optional[str]) -> Optional[str]:
    """Exchange the whole words left and right."""
    if text is None:
        return None
    return re.sub(
        r'\b(left|right)\b', lambda word: OTHER_SIDE[word[0]], text
    )
