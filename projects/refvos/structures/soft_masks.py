"""Compressed soft masks."""

import math
import zlib
from dataclasses import dataclass, field
from typing import List, Tuple

import numpy as np
import torch
from torch import Tensor

# Probability of the background in Ref-DAVIS17's published evaluation: where
# objects compete for a pixel, a lower one loses.
BACKGROUND = 0.1
# Log-odds of the upper bound of level 0 and of level 255; above 16 the sigmoid
# is 1 in float32.
LOWEST, HIGHEST = math.log(BACKGROUND / (1 - BACKGROUND)), 16.0
STEP = (HIGHEST - LOWEST) / 255
# Steps of the probability: level k begins at k / LINEAR_STEPS, the thresholds
# of AVSBench's F-score.
LINEAR_STEPS = 254


@dataclass
class SoftMasks:
    """Probability of each pixel to belong to the object, in 256 levels.

    They are compressed, so that those of all references of a video fit into
    memory; background takes nearly none. Level 0 is a probability of at most
    ``BACKGROUND``, exactly; the others are steps of log-odds. With steps of
    the probability most pixels that two references claim would both have
    level 255, and the higher of the two would be unknown.

    Args:
        size: (H, W) of the frames.
        frames: One zlib string per frame.
        linear: Use steps of the probability instead: level k, 0 to 254, is a
            probability of at least k / 254. For metrics that compare masks
            with thresholds, not with each other.
    """

    size: Tuple[int, int]
    frames: List[bytes] = field(default_factory=list)
    linear: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    def extend(self, log_odds: Tensor) -> None:
        """Append frames given as log-odds, (T, H, W)."""
        to_levels = quantize_linear if self.linear else quantize
        for levels in to_levels(log_odds).cpu().numpy():
            # The fastest compression level is small enough.
            self.frames.append(zlib.compress(levels.tobytes(), 1))

    def levels(self, frame: int) -> np.ndarray:
        """Return the levels of a frame, (H, W) uint8."""
        flat = np.frombuffer(zlib.decompress(self.frames[frame]), np.uint8)
        return flat.reshape(self.size)


def quantize(log_odds: Tensor) -> Tensor:
    """Quantize log-odds to steps of log-odds, uint8."""
    levels = ((log_odds.float() - LOWEST) / STEP).ceil()
    return levels.clamp(0, 255).to(torch.uint8)


def quantize_linear(log_odds: Tensor) -> Tensor:
    """Quantize log-odds to steps of the probability, uint8."""
    return (log_odds.float().sigmoid() * LINEAR_STEPS).to(torch.uint8)
