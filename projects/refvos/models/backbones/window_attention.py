"""Run Video-Swin blocks without gradients, a few windows at a time."""

from typing import Any, Iterator, List

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

# Limits the attention weights of all heads, the largest tensor.
WINDOWS_AT_ONCE = 32


def run_block_in_parts(block: Any, x: Tensor) -> Tensor:
    """Run one of torchvision's 3D blocks; ``x`` is modified in place.

    Attention is within windows of a few frames, a slab. The slabs of a clip
    are processed one after the other. If windows are shifted, the first and
    the last frames share a slab.

    Args:
        block: torchvision's ``SwinTransformerBlock`` with 3D attention, in
            evaluation mode.
        x: (B, T, h, w, C).

    Returns:
        ``x``, with the same values as ``block(x)`` within float error.
    """
    attention, size = block.attn, list(x.shape[1:4])
    # A window is no larger than the clip, and is not shifted along a side
    # that it covers.
    window = [min(pair) for pair in zip(attention.window_size, size)]
    shift = [
        0 if full <= most else step
        for full, most, step in zip(
            size, attention.window_size, attention.shift_size
        )
    ]
    bias = attention.get_relative_position_bias(window)
    for frames, regions in slabs(size, window, shift, x.device):
        inside = frames < size[0]
        frames = frames[inside]
        # Windows that extend beyond the clip are padded with zeros.
        part = x.new_zeros(len(x), *regions.shape, x.shape[-1])
        part[:, inside, : size[1], : size[2]] = block.norm1(x[:, frames])
        part = part.roll((-shift[1], -shift[2]), (2, 3))
        result = attend_in_windows(attention, part, window, bias, regions)
        result = result.roll((shift[1], shift[2]), (2, 3))
        x[:, frames] += result[:, inside, : size[1], : size[2]]
    for clip in x:
        for frame in clip:
            frame += block.mlp(block.norm2(frame))
    return x


def slabs(
    size: List[int], window: List[int], shift: List[int], device: torch.device
) -> Iterator[Any]:
    """Yield the slabs: frames that share windows.

    Yields:
        Indices (t,) of the frames of a slab, T and above for padding; and
        (t, H, W) region numbers after the shift: pixels attend to each other
        within a region only.
    """
    padded = [full + -full % part for full, part in zip(size, window)]
    # Pixels that the shift moved from the other end are a separate region.
    far = [
        (torch.arange(full, device=device) >= full - step).long()
        for full, step in zip(padded, shift)
    ]
    plane = 2 * far[1][:, None] + far[2]
    order = torch.arange(padded[0], device=device).roll(-shift[0])
    for frames, later in zip(order.split(window[0]), far[0].split(window[0])):
        yield frames, 4 * later[:, None, None] + plane


def attend_in_windows(
    attention: Any,
    x: Tensor,
    window: List[int],
    bias: Tensor,
    regions: Tensor,
) -> Tensor:
    """Attend within the windows of one slab.

    Args:
        attention: torchvision's ``ShiftedWindowAttention3d``.
        x: (B, t, H, W, C), padded and shifted.
        window: t, height and width of a window.
        bias: (1, heads, L, L) for the L pixels of a window.
        regions: (t, H, W), from :func:`slabs`.

    Returns:
        (B, t, H, W, C).
    """
    split = dict(i=window[1], j=window[2])
    pattern = '(h i) (w j)'
    tokens = rearrange(x, f'b t {pattern} c -> (b h w) (t i j) c', **split)
    numbers = repeat(
        regions, f't {pattern} -> (b h w) (t i j)', b=len(x), **split
    )
    result = torch.empty_like(tokens)
    for start in range(0, len(tokens), WINDOWS_AT_ONCE):
        part = slice(start, start + WINDOWS_AT_ONCE)
        query, key, value = rearrange(
            attention.qkv(tokens[part]),
            'n l (three heads c) -> three n heads l c',
            three=3,
            heads=attention.num_heads,
        )
        apart = numbers[part, None, :, None] != numbers[part, None, None]
        attended = F.scaled_dot_product_attention(
            query, key, value, bias.masked_fill(apart, float('-inf'))
        )
        attended = rearrange(attended, 'n h l c -> n l (h c)')
        result[part] = attention.proj(attended)
    return rearrange(
        result,
        f'(b h w) (t i j) c -> b t {pattern} c',
        b=len(x),
        h=x.shape[2] // window[1],
        t=window[0],
        **split,
    )
