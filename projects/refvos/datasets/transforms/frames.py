"""Apply image transforms to clips, and adapt the words to flips."""

import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Optional

import cv2
import numpy as np
from mmcv.transforms import BaseTransform, TransformBroadcaster
from mmcv.transforms.utils import cache_random_params
from mmdet.registry import TRANSFORMS

from ...errors import InputError

# Longer by shorter side, from which on resizing may leave no pixels.
NARROW = 64
OTHER_SIDE = {'left': 'right', 'right': 'left'}


@TRANSFORMS.register_module()
class TransformFrames(TransformBroadcaster):
    """Apply image transforms to every frame of a clip.

    As mmcv's broadcaster, but each frame is a dict of its own, and the keys
    of the clip are not copied into it.

    Required Keys: frames. Modified Keys: frames. Returns None if a transform
    does so for any frame.

    Args:
        transforms: Configs of image transforms (mmcv's, mmdet's, ...).
        share_random_params: Draw random parameters once per clip.
    """

    def __init__(
        self, transforms: list, share_random_params: bool = True
    ) -> None:
        super().__init__(transforms, share_random_params=share_random_params)
        name_random_methods_once(self.transforms)

    def transform(self, results: dict) -> Optional[dict]:
        shared = (
            cache_random_params(self.transforms)
            if self.share_random_params
            else nullcontext()
        )
        with shared:
            frames = [self.apply_to(frame) for frame in results['frames']]
        if any(frame is None for frame in frames):
            return None
        results['frames'] = frames
        return results

    def apply_to(self, frame: dict) -> Optional[dict]:
        """Transform a frame.

        Raises:
            InputError: It is so narrow that a side is rounded to 0 pixels.
        """
        try:
            return self._apply_transforms(frame)
        except (ValueError, cv2.error) as error:
            height, width = frame['img'].shape[:2]
            if max(height, width) < NARROW * min(height, width):
                raise
            raise InputError.of(
                frame.get('img_path', 'frame'),
                'size (height, width)',
                (height, width),
                'sides that are at least a pixel after resizing',
            ) from error


def name_random_methods_once(transforms: Iterable) -> None:
    """Remove duplicates from mmcv's lists of random methods.

    mmdet's RandAugment overrides a random method of mmcv's RandomChoice, and
    mmcv adds it to the list of the base class once more. Sharing random
    parameters would then raise for every RandomChoice, as if it drew twice.
    """
    for transform in transforms:
        names = getattr(transform, '_methods_with_randomness', ())
        if names:
            transform._methods_with_randomness = list(dict.fromkeys(names))
        if isinstance(transform, Iterable):
            name_random_methods_once(transform)


@TRANSFORMS.register_module()
class RoundPixels(BaseTransform):
    """Round an image to whole values from 0 to 255.

    mmdet's PhotoMetricDistortion returns floats beyond that range; resizing
    with Pillow, and batches, need uint8.

    Required Keys: img. Modified Keys: img.
    """

    def transform(self, results: dict) -> dict:
        image = np.rint(results['img']).clip(0, 255)
        results['img'] = image.astype(np.uint8)
        return results


@TRANSFORMS.register_module()
class SwapSidesInText(BaseTransform):
    """Exchange the words left and right if the frames are flipped.

    Only whole words change, not "leftover" or "bright".

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
    return re.sub(r'\b(left|right)\b', lambda word: OTHER_SIDE[word[0]], text)
