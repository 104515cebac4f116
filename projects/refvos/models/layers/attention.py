"""Attention: post-norm blocks, and attention of pixels to few tokens."""

from typing import Optional

import torch
from einops import rearrange
from torch import Tensor, nn

from ...structures import ReferenceTokens


class FeedForward(nn.Module):
    """Post-norm feed-forward network: two linear layers, residual, norm.

    Args:
        embed_dims: C.
        feedforward_channels: Hidden channels.
        dropout: Dropout after each layer.
    """

    def __init__(
        self, embed_dims: int, feedforward_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(embed_dims, feedforward_channels),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(feedforward_channels, embed_dims),
            nn.Dropout(dropout),
        )
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.layers(x))


class Attention(nn.Module):
    """Post-norm attention: attention, residual, norm.

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        dropout: Dropout of the attention weights and of the result.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(
            embed_dims, num_heads, dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)

    def forward(
        self,
        x: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Optional[Tensor] = None,
        attn_mask: Optional[Tensor] = None,
    ) -> Tensor:
        """Add the result of the attention to x (B, L, C), then normalise.

        The other arguments are those of ``nn.MultiheadAttention``.
        """
        result, _ = self.attention(
            query,
            key,
            value,
            key_padding_mask=key_padding_mask,
            attn_mask=attn_mask,
            need_weights=False,
        )
        return self.norm(x + self.dropout(result))


def attend_to_tokens(
    attention: nn.MultiheadAttention,
    pixels: Tensor,
    tokens: ReferenceTokens,
) -> Tensor:
    """Attend from the pixels of each clip to the tokens of its reference.

    Keys are the tokens plus their positions, values the tokens. Without
    gradients, and for few tokens, the query and output projections are
    applied to the tokens instead of to the many pixels; it is the same
    product in another order.

    Args:
        attention: Attention module with ``batch_first``.
        pixels: (B, P, C), pixels of all frames.
        tokens: B references, (B, L, C).

    Returns:
        (B, P, C).
    """
    num_heads = attention.num_heads
    num_tokens = tokens.tokens.shape[1]
    # Operations per pixel: C * h * L twice, instead of C * C and C * L twice.
    saves = num_heads * num_tokens < attention.embed_dim + num_tokens
    if saves and not (torch.is_grad_enabled() or attention.training):
        return fold_and_attend(attention, pixels, tokens)
    context, _ = attention(
        query=pixels,
        key=tokens.tokens + tokens.positions,
        value=tokens.tokens,
        key_padding_mask=tokens.padding_mask,
        need_weights=False,
    )
    return context


def fold_and_attend(
    attention: nn.MultiheadAttention,
    pixels: Tensor,
    tokens: ReferenceTokens,
) -> Tensor:
    """Compute :func:`attend_to_tokens` as x (Wq (y Wk)'), not (x Wq) (y Wk)'.

    x are the pixels, y the tokens; values and output weights are folded in
    the same way.
    """
    heads, width = attention.num_heads, attention.head_dim
    in_weight, in_bias = attention.in_proj_weight, attention.in_proj_bias
    # Computed in float32: cheap, and every pixel depends on it.
    with torch.autocast(pixels.device.type, enabled=False):
        query_weight, key_weight, value_weight = in_weight.chunk(3)
        query_bias, key_bias, value_bias = in_bias.chunk(3)
        words = tokens.tokens.float()
        keys = nn.functional.linear(
            words + tokens.positions.float(), key_weight, key_bias
        )
        values = nn.functional.linear(words, value_weight, value_bias)
        keys = rearrange(keys, 'b l (h d) -> b h d l', h=heads) * width**-0.5
        values = rearrange(values, 'b l (h d) -> b h l d', h=heads)
        # (h, C, d) times (B, h, d, L)
        folded = rearrange(query_weight, '(h d) c -> h c d', h=heads) @ keys
        folded = rearrange(folded, 'b h c l -> b c (h l)')
        offset = query_bias.view(heads, 1, width) @ keys  # (B, h, 1, L)
        hidden = tokens.padding_mask[:, None, None]
        offset = offset.masked_fill(hidden, float('-inf')).flatten(1)[:, None]
        # (B, h, L, d) times (h, d, C)
        out_weight = attention.out_proj.weight
        out = values @ rearrange(out_weight, 'c (h d) -> h d c', h=heads)
        out = out.flatten(1, 2)  # (B, h*L, C)
    logits = pixels @ folded + offset
    weights = logits.unflatten(-1, (heads, -1)).softmax(-1).flatten(-2)
    return weights @ out + attention.out_proj.bias
