"""Choosing the frames of a training clip."""

from typing import List, Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleClip(BaseTransform):
    """Choose the frames of a clip: near the anchor, and from afar.

    The anchor, one frame 1 to ``max_near`` before it, one as many after,
    the rest from outside that span; sorted in time. Source: the published
    ReferFormer code (Section 4.2 names only "5 randomly sampled frames").

    Required Keys: frames, anchor. Modified Keys: frames.

    Args:
        num_frames: T.
        max_near: Largest distance of the two near frames.
    """

    def __init__(self, num_frames: int = 5, max_near: int = 3) -> None:
        self.num_frames = num_frames
        self.max_near = max_near

    def transform(self, results: dict) -> dict:
        chosen = self.choose(len(results['frames']), results['anchor'])
        results['frames'] = [dict(results['frames'][i]) for i in chosen]
        return results

    def choose(self, length: int, anchor: Optional[int]) -> List[int]:
        """Choose T of ``length`` frames; short videos repeat some."""
        if anchor is None:
            anchor = np.random.randint(length)
        chosen = [anchor]
        if self.num_frames > 1:
            before, after = np.random.randint(1, self.max_near + 1, size=2)
            chosen.append(max(0, anchor - before))
            chosen.append(min(length - 1, anchor + after))
            chosen = chosen[: self.num_frames]
        missing = self.num_frames - len(chosen)
        if missing > 0:
            outside = [
                i for i in range(length) if i < min(chosen) or i > max(chosen)
            ]
            pool = outside if len(outside) >= missing else list(range(length))
            chosen += np.random.choice(
                pool, missing, replace=len(pool) < missing
            ).tolist()
        return sorted(int(i) for i in chosen)
