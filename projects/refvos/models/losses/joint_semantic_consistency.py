"""Joint semantic consistency (ProxyFormer, Section III-B)."""

from typing import Sequence

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...errors import InputError
from .contrastive import SymmetricInfoNCE

PARTS = ('video', 'text')


@MODELS.register_module()
class JointSemanticConsistency(nn.Module):
    """Draw a video's matched query to what video and text say together.

    A linear layer maps the average pixel and the average word, concatenated,
    to one vector per reference (equation 7). Query and vector of the same
    reference are to have the largest inner product among those of all
    processes, both ways (equation 8).

    Args:
        embed_dims: C.
        parts: What is concatenated: 'video', 'text', or both (Table V).
        temperature: Inner products are divided by it.
        normalize: Compare by cosines; the paper compares by inner products.
        loss_weight: Factor of the loss.

    Raises:
        InputError: ``parts`` names nothing, or something else.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        parts: Sequence[str] = PARTS,
        temperature: float = 1.0,
        normalize: bool = False,
        loss_weight: float = 5.0,
    ) -> None:
        super().__init__()
        if not parts or not set(parts) <= set(PARTS):
            raise InputError.of(
                type(self).__name__,
                'parts',
                list(parts),
                "'video', 'text' or both",
            )
        self.parts = tuple(parts)
        self.project = nn.Linear(embed_dims * len(parts), embed_dims)
        self.contrast = SymmetricInfoNCE(
            temperature, normalize=normalize, loss_weight=loss_weight
        )

    def forward(self, queries: Tensor, video: Tensor, text: Tensor) -> Tensor:
        """Compare B references; all processes get the loss of all of them.

        Args:
            queries: (B, C), each reference's matched query.
            video: (B, C), the average pixel.
            text: (B, C), the average word.

        Returns:
            The loss, a scalar.
        """
        given = dict(video=video, text=text)
        joint = torch.cat([given[part] for part in self.parts], -1)
        return self.contrast(queries, self.project(joint))
