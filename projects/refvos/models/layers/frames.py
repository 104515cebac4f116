"""Reshape and resize the frames of clips."""

from typing import Iterable, List, Sequence, Tuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ...structures import VideoFeatures


def per_frame(x: Tensor, num_frames: int) -> Tensor:
    """Repeat the values of a clip per frame: (B, ...) -> (B*T, ...)."""
    return x[:, None].expand(-1, num_frames, *x.shape[1:]).flatten(0, 1)


def tokens_of(maps: Tensor, num_frames: int) -> Tensor:
    """Flatten the pixels of a clip: (B*T, C, h, w) -> (B, T*h*w, C)."""
    return rearrange(maps, '(b t) c h w -> b (t h w) c', t=num_frames)


def maps_of(tokens: Tensor, num_frames: int, size: Sequence[int]) -> Tensor:
    """Invert :func:`tokens_of`: (B, T*h*w, C) -> (B*T, C, h, w)."""
    return rearrange(
        tokens,
        'b (t h w) c -> (b t) c h w',
        t=num_frames,
        h=size[0],
        w=size[1],
    )


def add_positions(
    tokens: Tensor, positions: Tensor, num_frames: int
) -> Tensor:
    """Add positions (B, C, h, w) to all frames of tokens (B, T*h*w, C)."""
    place = positions.flatten(2).transpose(1, 2)[:, None]
    return (tokens.unflatten(1, (num_frames, -1)) + place).flatten(1, 2)


def gather_parts(
    parts: Iterable[List[Tensor]], size: int, device: torch.device
) -> List[Tensor]:
    """Concatenate the features of parts of clips along the frames.

    Only one part is in memory at a time, beside the result.

    Args:
        parts: For each part, the same list of tensors (B, t, ...).
        size: T, the number of frames of all parts.
        device: Device of the result.

    Returns:
        Tensors (B, T, ...); not copied if there is only one part.
    """
    joined: List[Tensor] = []
    start = 0
    for part in parts:
        stop = start + part[0].shape[1]
        if (start, stop) == (0, size):
            return [x.to(device) for x in part]
        if not joined:
            joined = [
                x.new_empty(x.shape[0], size, *x.shape[2:], device=device)
                for x in part
            ]
        for whole, x in zip(joined, part):
            whole[:, start:stop] = x
        start = stop
    return joined


def take_frames(x: Tensor, indices: List[List[int]]) -> Tensor:
    """Select frames of each clip: (B, T, ...) -> (B, A, ...)."""
    clips = torch.arange(len(x), device=x.device)[:, None]
    return x[clips, torch.tensor(indices, device=x.device)]


def to_original_size(
    logits: Tensor, video: VideoFeatures, original_shape: Tuple[int, int]
) -> Tensor:
    """Resize (T, h, w) mask logits to the original size, bilinear.

    A video without padding is resized in one step, as in the published test
    code; from a padded video the padding is cropped first.
    """
    maps = logits[:, None].float()
    if video.is_padded:
        height, width = video.image_shapes[0]
        maps = F.interpolate(
            maps, video.padded_shape, mode='bilinear', align_corners=False
        )[..., :height, :width]
    return F.interpolate(
        maps, original_shape, mode='bilinear', align_corners=False
    )[:, 0]
