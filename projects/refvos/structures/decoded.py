"""What a decoder hands on to the steps that score, choose and draw."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from torch import Tensor

from .features import EncodedReferences, FeatureLevel


@dataclass
class MaskPyramid:
    """The feature pyramid that masks are drawn on.

    Args:
        parts: Levels (strides 4, 8, 16, 32) of consecutive frames, one part
            per chunk of frames.
        attended: Result of the attention across all frames, (B, T, C, h',
            w') per level; empty where the pyramid has none.
        is_padded: Whether the levels' padding masks mask anything.
        maps: The levels of the only part, already projected to C channels;
            None where they are projected again when needed, to save memory.
        features: (B*T, C, H/4, W/4) mask features of all frames; None where
            they are made when a mask is drawn.
    """

    parts: List[List[FeatureLevel]]
    attended: List[Tensor]
    is_padded: bool
    maps: Optional[List[Tensor]] = None
    features: Optional[Tensor] = None


@dataclass
class DecodedVideo:
    """What the decoder says of B clips, each asked for one reference.

    Args:
        states: (L, B, T, N, C), one state per decoder layer, frame and
            query; boxes are predicted from them.
        queries: (L, B, T, N, C), from which classes and masks are
            predicted; in most systems the states themselves.
        reference_points: L + 1 tensors (B, T, N, 2 or 4): reference points
            before the first and after each layer, in 0..1 of the frame.
        references: The B encoded references.
        image_shapes: (h, w) of each clip's frames without padding.
        pyramid: What masks are drawn on.
        extras: What else a system's later steps need, by name.
    """

    states: Tensor
    queries: Tensor
    reference_points: List[Tensor]
    references: EncodedReferences
    image_shapes: List[Tuple[int, int]]
    pyramid: MaskPyramid
    extras: Dict[str, Any] = field(default_factory=dict)

    @property
    def num_layers(self) -> int:
        """L, the decoder layers that predict."""
        return len(self.states)

    @property
    def num_frames(self) -> int:
        """T."""
        return self.states.shape[2]

    @property
    def num_queries(self) -> int:
        """N, per frame."""
        return self.states.shape[3]
