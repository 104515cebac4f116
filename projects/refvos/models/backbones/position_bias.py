"""Adapt Swin's relative position biases to another window size."""

import math
from typing import Any, MutableMapping, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TABLE = 'relative_position_bias_table'
INDEX = 'relative_position_index'

Window = Tuple[int, int, int]


def keep_indices_out_of_checkpoints(backbone: nn.Module) -> None:
    """Make the buffers of position indices non-persistent.

    They follow from the window size. In a checkpoint they would prevent
    another window size (and take 1.2 MB each for windows of 8x7x7).
    """
    for module in backbone.modules():
        if hasattr(module, INDEX):
            index = getattr(module, INDEX)
            module.register_buffer(INDEX, index, persistent=False)


def fit_position_biases(
    state: MutableMapping[str, Tensor], prefix: str, model: nn.Module
) -> None:
    """Resize the tables of a state dict to a model's windows, in place.

    Position indices, which official checkpoints hold, are removed. A table
    with another number of heads, or of an unknown window, is not changed;
    loading it then reports the mismatch.

    Args:
        state: The state dict.
        prefix: Prefix of the names of the model's weights in it.
        model: A model whose Swin layers are mmdet's or torchvision's.
    """
    for name, module in model.named_modules():
        own = getattr(module, TABLE, None)
        if own is None:
            continue
        place = f'{prefix}{name}.' if name else prefix
        state.pop(place + INDEX, None)
        table = state.get(place + TABLE)
        if table is None or table.shape[1:] != own.shape[1:]:
            continue
        target = three_sides(module.window_size)
        window = trained_window(len(table), target)
        if window is not None and window != target:
            state[place + TABLE] = resize_bias_table(table, window, target)


def three_sides(window: Any) -> Window:
    """Return (frames, height, width) of an image or video window."""
    sides = tuple(int(side) for side in window)
    return (1, *sides) if len(sides) == 2 else sides  # type: ignore


def trained_window(length: int, target: Window) -> Optional[Window]:
    """Derive the window of a table from its length.

    Args:
        length: Offsets in the table: (2 d - 1) (2 h - 1) (2 w - 1).
        target: Window (d, h, w) of the model.

    Returns:
        The window with the model's frames and a square area, else the one
        with the model's area, else None.
    """
    frames, height, width = target
    times, spaces = 2 * frames - 1, (2 * height - 1) * (2 * width - 1)
    if length == times * spaces:
        return target
    side = math.isqrt(length // times)
    if side % 2 and times * side**2 == length:
        return frames, (side + 1) // 2, (side + 1) // 2
    times = length // spaces
    if times % 2 and times * spaces == length:
        return (times + 1) // 2, height, width
    return None


def resize_bias_table(
    table: Tensor, window: Sequence[int], target: Sequence[int]
) -> Tensor:
    """Resize a table of relative position biases to another window size.

    In space the table is interpolated (bicubic), as when Swin is fine-tuned
    on larger images. In time an offset keeps its number of frames, because a
    longer window does not change the frame rate: a shorter window takes the
    middle of the table, as the published Video-Swin does for a clip shorter
    than its window; for a longer window the ends are repeated.

    Args:
        table: (L, heads), L = (2 d - 1) (2 h - 1) (2 w - 1).
        window: Window (d, h, w) of the table.
        target: Wanted window (d, h, w).
    """
    frames, height, width = (2 * side - 1 for side in window)
    new_frames, new_height, new_width = (2 * side - 1 for side in target)
    # (heads, d offsets, h offsets, w offsets)
    grid = table.t().reshape(-1, frames, height, width)
    if (height, width) != (new_height, new_width):
        grid = F.interpolate(
            grid.float(), (new_height, new_width), mode='bicubic'
        ).to(table.dtype)
    farthest = window[0] - 1
    offsets = torch.arange(1 - target[0], target[0], device=table.device)
    grid = grid[:, offsets.clamp(-farthest, farthest) + farthest]
    return grid.reshape(-1, new_frames * new_height * new_width).t().clone()
