"""Link the answers of a window of frames to those of the one before."""

from typing import Callable, List, Sequence

import numpy as np
from pycocotools import mask as rle_codec
from torch import Tensor

from ...structures import Answer, Rle

# Weight of the overlap with the previous masks beside the score; both are
# 0 to 1.
WEIGHT_OF_OVERLAP = 1.0


def follow(
    answer: Answer,
    previous: Sequence[Rle],
    encode: Callable[[Tensor], List[Rle]],
) -> Answer:
    """Choose the candidate that continues a tracked object.

    Args:
        answer: The answer to a reference in a window, with its candidates.
        previous: Masks of the object in the first frames of the window, as
            the window before gave them.
        encode: Encodes mask logits (t, h, w) as ``previous`` is encoded; it
            is called with those frames only.

    Returns:
        The candidate with the highest sum of score and overlap (mean
        intersection over union in those frames); the answer itself if it
        has no candidates.
    """

    def merit(candidate: Answer) -> float:
        score = float(candidate.scores.mean())
        if not previous:
            return score
        masks = encode(candidate.masks[: len(previous)])
        return score + WEIGHT_OF_OVERLAP * mean_overlap(masks, previous)

    return max(answer.candidates or [answer], key=merit)


def mean_overlap(masks: Sequence[Rle], previous: Sequence[Rle]) -> float:
    """Return the mean IoU per frame; it is 1 where both masks are empty."""
    overlaps = []
    for ours, theirs in zip(masks, previous):
        if not rle_codec.area(ours) and not rle_codec.area(theirs):
            overlaps.append(1.0)
            continue
        overlaps.append(float(rle_codec.iou([ours], [theirs], [0])[0, 0]))
    return float(np.mean(overlaps))
