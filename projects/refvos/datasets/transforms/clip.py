"""Choose the frames of a clip."""

from abc import abstractmethod
from typing import Any, Dict, List, Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


class FrameSampler(BaseTransform):
    """Base of transforms that choose the frames of a clip for training.

    Required Keys: frames, anchor. Modified Keys: frames.
    """

    @abstractmethod
    def choose(self, length: int, anchor: Optional[int]) -> List[int]:
        """Draw the indices of T of ``length`` frames.

        Args:
            length: Frames of the video.
            anchor: A frame that is among them; None draws one.
        """

    def transform(self, results: dict) -> dict:
        chosen = self.choose(len(results['frames']), results['anchor'])
        results['frames'] = [dict(results['frames'][i]) for i in chosen]
        return results


@TRANSFORMS.register_module()
class SampleClip(FrameSampler):
    """Choose the frames of a clip: three near the anchor, the rest far away.

    The anchor, one frame 1 to ``max_near`` before it, one as far after it,
    and the rest from outside that span; sorted in time. Source: the
    published ReferFormer code (Section 4.2 only says "5 randomly sampled
    frames").

    Required Keys: frames, anchor. Modified Keys: frames.

    Args:
        num_frames: T.
        max_near: Largest distance of the two near frames, in frames.
        distinct: Replace repeated frames by frames outside the span; only
            videos that are too short repeat frames. If False, as in the
            published code, the first or last frame replaces near frames
            beyond the video's ends: a video of which only the first frame
            has a mask (AVSBench S4) would always repeat that one.
    """

    def __init__(
        self, num_frames: int = 5, max_near: int = 3, distinct: bool = False
    ) -> None:
        self.num_frames = num_frames
        self.max_near = max_near
        self.distinct = distinct

    def choose(self, length: int, anchor: Optional[int]) -> List[int]:
        """Draw the indices; see :class:`FrameSampler`."""
        if anchor is None:
            anchor = np.random.randint(length)
        chosen = [anchor]
        if self.num_frames > 1:
            before, after = np.random.randint(1, self.max_near + 1, size=2)
            chosen.append(max(0, anchor - before))
            chosen.append(min(length - 1, anchor + after))
            if self.distinct:
                chosen = list(dict.fromkeys(chosen))
            chosen = chosen[: self.num_frames]
        missing = self.num_frames - len(chosen)
        if missing > 0:
            outside = [
                i for i in range(length) if i < min(chosen) or i > max(chosen)
            ]
            pool = outside if len(outside) >= missing else list(range(length))
            if self.distinct and length >= self.num_frames:
                pool = [i for i in pool if i not in chosen]
            chosen += np.random.choice(
                pool, missing, replace=len(pool) < missing
            ).tolist()
        return sorted(int(i) for i in chosen)


@TRANSFORMS.register_module()
class SampleConsecutive(FrameSampler):
    """Choose T consecutive frames that contain the anchor.

    The first frame is drawn at random; videos that are too short repeat
    their last frame. Source: ProxyFormer, Section IV-B.

    Required Keys: frames, anchor. Modified Keys: frames.

    Args:
        num_frames: T.
    """

    def __init__(self, num_frames: int = 12) -> None:
        self.num_frames = num_frames

    def choose(self, length: int, anchor: Optional[int]) -> List[int]:
        """Draw the indices; see :class:`FrameSampler`."""
        if anchor is None:
            anchor = np.random.randint(length)
        last = max(0, length - self.num_frames)
        first = np.random.randint(
            min(last, max(0, anchor - self.num_frames + 1)),
            min(last, anchor) + 1,
        )
        return [
            min(int(first) + offset, length - 1)
            for offset in range(self.num_frames)
        ]


@TRANSFORMS.register_module()
class SampleWindow(BaseTransform):
    """Take the frames around the annotated one, which is the target frame.

    T consecutive frames, the annotated one at index T // 2; beyond the
    video's ends its first and last frame are repeated. Source: the
    published ReferFormer code for A2D-Sentences and JHMDB-Sentences.

    Required Keys: frames, annotated_frame (an index into them). Modified
    Keys: frames. Added Keys: target_frames.

    Args:
        num_frames: T, the window size (Appendix B: 5; Table 2: 6 if trained
            from scratch).
    """

    def __init__(self, num_frames: int = 5) -> None:
        self.num_frames = num_frames

    def transform(self, results: dict) -> dict:
        frames = results['frames']
        chosen = self.choose(len(frames), results['annotated_frame'])
        results['frames'] = [dict(frames[i]) for i in chosen]
        results['target_frames'] = [self.num_frames // 2]
        return results

    def choose(self, length: int, annotated: int) -> List[int]:
        """Return the indices of the T frames, of ``length``."""
        first = annotated - self.num_frames // 2
        return [
            min(max(index, 0), length - 1)
            for index in range(first, first + self.num_frames)
        ]


def target_frames(results: dict) -> List[Dict[str, Any]]:
    """Return the target frames of a clip; all frames if it names none."""
    frames = results['frames']
    indices = results.get('target_frames')
    return frames if indices is None else [frames[i] for i in indices]
