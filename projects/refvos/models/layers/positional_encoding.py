"""Positional encoding of tokens."""

import math

import torch
from torch import Tensor


def sine_positions_1d(
    padding_mask: Tensor, embed_dims: int, temperature: float = 10000.0
) -> Tensor:
    """Return sine encodings of token positions, scaled to 0..2 pi.

    mmdet's ``SinePositionalEncoding`` has only the two-dimensional form.

    Args:
        padding_mask: (B, L) bool, True where a token is padding.
        embed_dims: C, even.
        temperature: Base of the periods.

    Returns:
        (B, L, C) float32.
    """
    place = (~padding_mask).cumsum(1, dtype=torch.float32)  # (B, L)
    place = place / (place[:, -1:] + 1e-6) * (2 * math.pi)
    channel = torch.arange(
        embed_dims, dtype=torch.float32, device=place.device
    )
    period = temperature ** (2 * (channel // 2) / embed_dims)
    angle = place[:, :, None] / period  # (B, L, C)
    return torch.stack(
        (angle[..., 0::2].sin(), angle[..., 1::2].cos()), dim=-1
    ).flatten(2)
