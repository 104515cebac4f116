"""Soft masks, small enough to keep those of all references of a video."""

import math
import zlib
from dataclasses import dataclass, field
from typing import List, Tuple

import numpy as np
import torch
from torch import Tensor

# Probability from which a pixel can belong to an object where objects compete
# for it: the background's in Ref-DAVIS17's published evaluation.
BACKGROUND = 0.1
# Log-odds of level 0's upper bound and of level 255; sigmoid in float32 is 1
# from about there on.
LOWEST, HIGHEST = math.log(BACKGROUND / (1 - BACKGROUND)), 16.0
STEP = (HIGHEST - LOWEST) / 255
# Of the probability itself: level k from k / LINEAR_STEPS on, the thresholds
# of AVSBench's F.
LINEAR_STEPS = 254


@dataclass
class SoftMasks:
    """How likely each pixel is the object's, in 256 levels, compressed.

    Level 0 is a probability of at most ``BACKGROUND``, exactly; the others
    are steps of log-odds. Steps of the probability itself would give most
    pixels that two references claim the same level, 255, and which is
    surer would be lost. What is background compresses to nearly nothing.

    Args:
        size: (H, W) of the frames.
        frames: One zlib string a frame.
        linear: Have steps of the probability after all: level k, of 0 to
            254, is one of k / 254 or more. For what compares masks with
            thresholds, not with each other.
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
            # The fastest level is small enough.
            self.frames.append(zlib.compress(levels.tobytes(), 1))

    def levels(self, frame: int) -> np.ndarray:
        """The levels of a frame, (H, W) uint8."""
        flat = np.frombuffer(zlib.decompress(self.frames[frame]), np.uint8)
        return flat.reshape(self.size)


def quantize(log_odds: Tensor) -> Tensor:
    """Log-odds to levels, uint8."""
    levels = ((log_odds.float() - LOWEST) / STEP).ceil()
    return levels.clamp(0, 255).to(torch.uint8)


def quantize_linear(log_odds: Tensor) -> Tensor:
    """Log-odds to levels of the probability, uint8."""
    return (log_odds.float().sigmoid() * LINEAR_STEPS).to(torch.uint8)
