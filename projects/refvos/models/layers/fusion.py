"""Early fusion: pixels attend to the reference's tokens."""

from torch import Tensor, nn

from ...structures import ReferenceTokens
from .attention import attend_to_tokens

COMBINATIONS = ('multiply', 'add')


class PixelReferenceFusion(nn.Module):
    """Pixels attend to the tokens; the result changes the pixels.

    ReferFormer multiplies (Section 3.2), MUTR adds. One module serves all
    levels of the pyramid.

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
            pixels: (B, P, C), the pixels of all frames.
            tokens: The reference's tokens, (B, L, C).

        Returns:
            (B, P, C).
        """
        context = attend_to_tokens(self.attention, pixels, tokens)
        if self.combine == 'multiply':
            return pixels * context
        return pixels + context
