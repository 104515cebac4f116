"""Early fusion of pixels and reference tokens."""

from torch import Tensor, nn

from ...structures import ReferenceTokens
from .attention import attend_to_tokens

COMBINATIONS = ('multiply', 'add')


class PixelReferenceFusion(nn.Module):
    """Combine each pixel with the result of its attention to the tokens.

    ReferFormer multiplies (Section 3.2), MUTR adds. All levels of the pyramid
    share the module.

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        combine: 'multiply' or 'add'.
    """

    def __init__(
        self, embed_dims: int, num_heads: int = 8, combine: str = 'multiply'
    ) -> None:
        super().__init__()
        if combine not in COMBINATIONS:
            raise ValueError(
                f'combine is {combine!r}; expected one of {COMBINATIONS}'
            )
        self.combine = combine
        self.attention = nn.MultiheadAttention(
            embed_dims, num_heads, batch_first=True
        )

    def forward(self, pixels: Tensor, tokens: ReferenceTokens) -> Tensor:
        """Fuse one level.

        Args:
            pixels: (B, P, C), pixels of all frames.
            tokens: Tokens of B references, (B, L, C).

        Returns:
            (B, P, C).
        """
        context = attend_to_tokens(self.attention, pixels, tokens)
        if self.combine == 'multiply':
            return pixels * context
        return pixels + context
