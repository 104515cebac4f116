"""Output of a decoder, input of the steps that score and draw queries."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from torch import Tensor

from .features import EncodedReferences, FeatureLevel


@dataclass
class MaskPyramid:
    """Feature pyramid from which masks are drawn.

    Args:
        parts: Levels (strides 4, 8, 16, 32) of consecutive frames, one part
            per chunk of frames.
        attended: Result of the attention across all frames, (B, T, C, h',
            w') per level; empty if the pyramid has no such attention.
        is_padded: Whether any clip of the batch is padded.
        maps: The levels projected to C channels, if there is one part; None
            if they are projected again when needed, to save memory.
        features: (B*T, C, H/4, W/4) mask features of all frames; None if
            they are computed when a mask is drawn.
    """

    parts: List[List[FeatureLevel]]
    attended: List[Tensor]
    is_padded: bool
    maps: Optional[List[Tensor]] = None
    features: Optional[Tensor] = None


@dataclass
class DecodedVideo:
    """Output of the decoder for B clips with one reference each.

    Args:
        states: (L, B, T, N, C), one state per decoder layer, frame and
            query; boxes are predicted from them.
        queries: (L, B, T, N, C); classes and masks are predicted from them.
            In most systems they are the states.
        reference_points: L + 1 tensors (B, T, N, 2 or 4): reference points
            before the first and after each layer, in 0..1 of the frame.
        references: The B encoded references.
        image_shapes: (h, w) of each clip's frames without padding.
        pyramid: Feature pyramid from which masks are drawn.
        extras: Further results for the later steps of a system, by name.
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
        """L, number of decoder layers that predict."""
        return len(self.states)

    @property
    def num_frames(self) -> int:
        """T, number of frames."""
        return self.states.shape[2]

    @property
    def num_queries(self) -> int:
        """N, number of queries per frame."""
        return self.states.shape[3]
