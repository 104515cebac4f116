"""Swin as published, written once more: slow, and for a few cells only.

Attention is over all pairs of cells; which of them may see each other, and
which bias a pair has, is worked out from their places. Names are Microsoft's.
"""

import math
from typing import Dict, List, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

HEADS = (1, 2, 2, 4)
DEPTHS = (2, 1, 2, 1)


def make_state(
    patch: Sequence[int], window: Sequence[int], output_norms: bool
) -> Dict[str, Tensor]:
    """Random weights of a Swin with 8 channels.

    Args:
        patch: Sides of a patch: two for images, three for videos.
        window: Sides of a window, as many.
        output_norms: As ReferFormer's Swin has and its Video-Swin has not.
    """
    shapes = {'patch_embed.proj.weight': (8, 3, *patch)}
    shapes['patch_embed.proj.bias'] = (8,)
    add_norm(shapes, 'patch_embed.norm', 8)
    biases = math.prod(2 * side - 1 for side in window)
    volume = math.prod(window)
    for i, (depth, heads) in enumerate(zip(DEPTHS, HEADS)):
        width = 8 * 2**i
        for j in range(depth):
            block = f'layers.{i}.blocks.{j}.'
            add_norm(shapes, block + 'norm1', width)
            add_norm(shapes, block + 'norm2', width)
            attention = block + 'attn.'
            table = attention + 'relative_position_bias_table'
            shapes[table] = (biases, heads)
            index = attention + 'relative_position_index'
            shapes[index] = (volume, volume)
            add_linear(shapes, attention + 'qkv', width, 3 * width)
            add_linear(shapes, attention + 'proj', width, width)
            add_linear(shapes, block + 'mlp.fc1', width, 4 * width)
            add_linear(shapes, block + 'mlp.fc2', 4 * width, width)
        if i < 3:
            merging = f'layers.{i}.downsample.'
            add_norm(shapes, merging + 'norm', 4 * width)
            shapes[merging + 'reduction.weight'] = (2 * width, 4 * width)
        if output_norms:
            add_norm(shapes, f'norm{i}', width)
    generator = torch.Generator().manual_seed(0)
    return {key: draw(key, shape, generator) for key, shape in shapes.items()}


def add_norm(shapes: dict, name: str, width: int) -> None:
    shapes[name + '.weight'] = shapes[name + '.bias'] = (width,)


def add_linear(shapes: dict, name: str, width: int, out: int) -> None:
    shapes[name + '.weight'] = (out, width)
    shapes[name + '.bias'] = (out,)


def draw(key: str, shape: tuple, generator: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=generator)
    if key.endswith('.weight') and len(shape) > 1:
        return values * math.prod(shape[1:]) ** -0.5
    return values


def published_levels(
    state: Dict[str, Tensor],
    clip: Tensor,
    window: Sequence[int],
    clips: bool,
) -> List[Tensor]:
    """Four maps (T, c, h, w) of a clip (T, 3, H, W).

    Args:
        state: With Microsoft's names.
        clip: Whose frames are seen together or one by one.
        window: Frames, height and width of a window.
        clips: Video-Swin: windows shrink to maps that are smaller. Swin's
            don't.
    """
    state = {key: value.double() for key, value in state.items()}
    kernel = state['patch_embed.proj.weight']
    if not clips:
        kernel = kernel[:, :, None]
    x = F.pad(clip.double(), (0, -clip.shape[-1] % 4, 0, -clip.shape[-2] % 4))
    x = F.conv3d(
        x.transpose(0, 1),
        kernel,
        state['patch_embed.proj.bias'],
        kernel.shape[2:],
    ).permute(1, 2, 3, 0)  # (T, h, w, c)
    x = norm(x, state, 'patch_embed.norm')
    levels = []
    for i, depth in enumerate(DEPTHS):
        for j in range(depth):
            shift = [side // 2 * (j % 2) for side in window]
            part = sub_state(state, f'layers.{i}.blocks.{j}.')
            x = block(x, part, HEADS[i], window, shift, clips)
        out = x
        if f'norm{i}.weight' in state:
            out = norm(x, state, f'norm{i}')
        levels.append(out.permute(0, 3, 1, 2))
        if i < 3:
            x = merge(x, sub_state(state, f'layers.{i}.downsample.'))
    return levels


def sub_state(state: Dict[str, Tensor], prefix: str) -> Dict[str, Tensor]:
    return {
        key[len(prefix) :]: value
        for key, value in state.items()
        if key.startswith(prefix)
    }


def norm(x: Tensor, state: Dict[str, Tensor], name: str) -> Tensor:
    x = x - x.mean(-1, keepdim=True)
    x = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return x * state[name + '.weight'] + state[name + '.bias']


def linear(x: Tensor, state: Dict[str, Tensor], name: str) -> Tensor:
    return x @ state[name + '.weight'].T + state[name + '.bias']


def block(x, state, heads, window, shift, clips):
    seen = attend(norm(x, state, 'norm1'), state, heads, window, shift, clips)
    x = x + seen
    hidden = linear(norm(x, state, 'norm2'), state, 'mlp.fc1')
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    return x + linear(hidden, state, 'mlp.fc2')


def attend(x, state, heads, window, shift, clips):
    """Self-attention in shifted windows of a map (T, h, w, c)."""
    sizes = torch.tensor(x.shape[:3])
    full, shift = torch.tensor(window), torch.tensor(shift)
    sides = full.clone()
    if clips:
        shift = torch.where(sizes <= full, 0, shift)
        sides = torch.minimum(sizes, full)
    padded = -(-sizes // sides) * sides
    missing = (padded - sizes).tolist()
    x = F.pad(x, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))
    places = torch.cartesian_prod(*(torch.arange(n) for n in padded))
    moved = (places - shift) % padded
    # What the shift has brought from one border to the other sees itself.
    home = torch.cat((moved // sides, (places < shift).long()), 1)
    together = (home[:, None] == home[None]).all(-1)
    bias = biases_of(moved % sides, sides, full, state)

    channels = x.shape[-1]
    qkv = linear(x.reshape(-1, channels), state, 'attn.qkv')
    q, k, v = qkv.reshape(-1, 3, heads, channels // heads).unbind(1)
    outputs = []
    for head in range(heads):
        logits = q[:, head] @ k[:, head].T * (channels // heads) ** -0.5
        logits = logits + bias[..., head]
        logits[~together] = -torch.inf
        outputs.append(logits.softmax(-1) @ v[:, head])
    x = linear(torch.cat(outputs, -1), state, 'attn.proj')
    x = x.reshape(*padded, channels)
    return x[: sizes[0], : sizes[1], : sizes[2]]


def biases_of(inside, sides, full, state):
    """(cells, cells, heads) biases from places in the window.

    The published lookup counts the cells of a shrunk window and takes the
    pairs of as many first cells of the full one.
    """
    count = (inside[:, 0] * sides[1] + inside[:, 1]) * sides[2] + inside[:, 2]
    place = torch.stack(
        (
            count // (full[1] * full[2]),
            count // full[2] % full[1],
            count % full[2],
        ),
        1,
    )
    offset = place[:, None] - place[None] + full - 1
    spans = 2 * full - 1
    row = (offset[..., 0] * spans[1] + offset[..., 1]) * spans[2]
    return state['attn.relative_position_bias_table'][row + offset[..., 2]]


def merge(x, state):
    x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
    cells = [x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
    x = norm(torch.cat(cells, -1), state, 'norm')
    return x @ state['reduction.weight'].T
