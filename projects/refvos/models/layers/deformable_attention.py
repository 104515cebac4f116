"""Deformable attention that is fast on CPUs and accepts long clips."""

from typing import Any, List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmcv.ops import MultiScaleDeformableAttention
from torch import Tensor

# Largest number of frames that mmcv's CUDA kernel accepts at once.
LARGEST_STEP = 64


class DeformableAttention(MultiScaleDeformableAttention):
    """mmcv's deformable attention with a faster sampling on CPUs.

    mmcv samples level by level, keeps all sampled values, multiplies and sums
    them. Here the four neighbours of all points of a query and head are one
    bag of ``F.embedding_bag``, which gathers, weights and sums in one pass.
    The maps have a border of zeros, so points outside need no special case.
    This is used only on CPUs, without gradients and with ``batch_first``;
    parameters and results are those of mmcv.

    mmcv's CUDA kernel accepts only batches that are a multiple of its step;
    the step is adapted to the batch.
    """

    def forward(
        self,
        query: Tensor,
        key: Optional[Tensor] = None,
        value: Optional[Tensor] = None,
        identity: Optional[Tensor] = None,
        query_pos: Optional[Tensor] = None,
        key_padding_mask: Optional[Tensor] = None,
        reference_points: Optional[Tensor] = None,
        spatial_shapes: Optional[Tensor] = None,
        level_start_index: Optional[Tensor] = None,
        **kwargs: Any,
    ) -> Tensor:
        """Attend; see mmcv's module for the shapes."""
        on_cpu = query.device.type == 'cpu'
        if not on_cpu or torch.is_grad_enabled() or not self.batch_first:
            batch = query.shape[0 if self.batch_first else 1]
            self.im2col_step = step_for(batch)
            return super().forward(
                query,
                key,
                value,
                identity=identity,
                query_pos=query_pos,
                key_padding_mask=key_padding_mask,
                reference_points=reference_points,
                spatial_shapes=spatial_shapes,
                level_start_index=level_start_index,
                **kwargs,
            )
        if reference_points is None or spatial_shapes is None:
            raise ValueError('reference_points or spatial_shapes is None')
        if identity is None:
            identity = query
        if value is None:
            value = query
        if query_pos is not None:
            query = query + query_pos
        value = self.value_proj(value)
        if key_padding_mask is not None:
            value = value.masked_fill(key_padding_mask[..., None], 0.0)
        offsets = self.sampling_offsets(query).unflatten(
            -1, (self.num_heads, self.num_levels, self.num_points, 2)
        )
        weights = self.attention_weights(query).unflatten(
            -1, (self.num_heads, -1)
        )
        sampled = sample(
            value.unflatten(-1, (self.num_heads, -1)),
            offsets,
            weights.softmax(-1).view(offsets.shape[:-1]),
            reference_points,
            spatial_shapes,
        )
        return self.dropout(self.output_proj(sampled)) + identity


def step_for(batch: int) -> int:
    """Return the largest divisor of a batch that the CUDA kernel accepts."""
    steps = range(min(batch, LARGEST_STEP), 0, -1)
    return next(step for step in steps if batch % step == 0)


def sample(
    value: Tensor,
    offsets: Tensor,
    weights: Tensor,
    reference_points: Tensor,
    spatial_shapes: Tensor,
) -> Tensor:
    """Sum the weighted values at the sampling points, 0 outside a level.

    Args:
        value: (B, S, heads, d), the levels concatenated.
        offsets: (B, Q, heads, L, P, 2), x and y in pixels of the level; in
            half boxes divided by P where references are boxes.
        weights: (B, Q, heads, L, P).
        reference_points: (B, Q, L, 2 or 4), x, y(, w, h) in 0..1; B may be 1.
        spatial_shapes: (L, 2), height and width of the levels.

    Returns:
        (B, Q, heads * d).
    """
    levels = PaddedLevels(spatial_shapes, value.shape[2])
    table = value.new_zeros(levels.num_pixels, *value.shape[2:])
    output = value.new_empty(*offsets.shape[:2], table[0].numel())
    points = reference_points.float().expand(len(value), -1, -1, -1)
    # Frame by frame, so that the table stays in the cache.
    for frame in range(len(value)):
        levels.fill(table, value[frame])
        x, y = levels.locate(offsets[frame].float(), points[frame])
        rows, factors = levels.neighbours(x, y, weights[frame].float())
        summed = F.embedding_bag(
            rows,
            table.flatten(0, 1),
            per_sample_weights=factors.to(value.dtype),
            mode='sum',
        )
        output[frame] = summed.view(len(output[frame]), -1)
    return output


class PaddedLevels:
    """Table of the levels of a frame with a border of zeros around each.

    A level of h x w pixels takes (h + 3) x (w + 3): one line of zeros before
    it and two after, so points outside, clamped to the border, have four
    neighbours like all others. A row of the table is a pixel and a head.

    Args:
        spatial_shapes: (L, 2), height and width.
        num_heads: Attention heads.
    """

    def __init__(self, spatial_shapes: Tensor, num_heads: int) -> None:
        self.num_heads = num_heads
        self.shapes: List[Tuple[int, int]] = [
            (height, width) for height, width in spatial_shapes.tolist()
        ]
        areas = [(h + 3) * (w + 3) for h, w in self.shapes]
        self.starts = [sum(areas[:level]) for level in range(len(areas))]
        self.num_pixels = sum(areas)
        # (L, 1), broadcast with (Q, heads, L, P).
        self.widths = torch.tensor([[float(w)] for _, w in self.shapes])
        self.heights = torch.tensor([[float(h)] for h, _ in self.shapes])
        self.steps = torch.tensor([[w + 3] for _, w in self.shapes])
        # Row of pixel (0, 0) of each level.
        self.origins = torch.tensor([[s] for s in self.starts]) + (
            self.steps + 1
        )

    def fill(self, table: Tensor, value: Tensor) -> None:
        """Copy (S, heads, d) into the table; the borders stay zero."""
        start = 0
        for (height, width), begin in zip(self.shapes, self.starts):
            end = begin + (height + 3) * (width + 3)
            level = table[begin:end].unflatten(0, (height + 3, width + 3))
            part = value[start : start + height * width]
            start += height * width
            level[1 : height + 1, 1 : width + 1] = part.unflatten(
                0, (height, width)
            )

    def locate(self, offsets: Tensor, points: Tensor) -> Tuple[Tensor, Tensor]:
        """Return points in pixels, x and y (Q, heads, L, P), clamped.

        Args:
            offsets: (Q, heads, L, P, 2).
            points: (Q, L, 2 or 4).
        """
        places = []
        for axis, size in enumerate((self.widths, self.heights)):
            # (Q, 1, L, 1)
            point = (points[..., axis : axis + 1] * size - 0.5)[:, None]
            offset = offsets[..., axis]
            if points.shape[-1] == 4:
                half = points[..., axis + 2 : axis + 3] * size / 2
                offset = offset * (half / offsets.shape[-2])[:, None]
            place = offset + point
            places.append(place.clamp_(torch.full_like(size, -1), size))
        return places[0], places[1]

    def neighbours(
        self, x: Tensor, y: Tensor, weights: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """Return the four pixels around each point and their weights.

        Args:
            x, y, weights: (Q, heads, L, P).

        Returns:
            Rows of the table and factors, both (Q * heads, 4 * L * P).
        """
        left, top = x.floor(), y.floor()
        right_share, lower_share = x - left, y - top
        heads = torch.arange(self.num_heads, dtype=torch.int32)[:, None, None]
        first = torch.addcmul(left, top, self.steps.float())
        first = first.add_(self.origins).int()
        first = first.mul_(self.num_heads).add_(heads)
        below = (self.steps * self.num_heads).int()
        shape = (*x.shape[:2], 4, *x.shape[2:])
        rows = first.new_empty(shape)
        rows[:, :, 0] = first
        torch.add(first, self.num_heads, out=rows[:, :, 1])
        torch.add(first, below, out=rows[:, :, 2])
        torch.add(first, below + self.num_heads, out=rows[:, :, 3])
        factors = weights.new_empty(shape)
        lower = weights * lower_share
        upper = weights - lower
        torch.mul(upper, right_share, out=factors[:, :, 1])
        torch.sub(upper, factors[:, :, 1], out=factors[:, :, 0])
        torch.mul(lower, right_share, out=factors[:, :, 3])
        torch.sub(lower, factors[:, :, 3], out=factors[:, :, 2])
        return rows.flatten(2).flatten(0, 1), factors.flatten(2).flatten(0, 1)


def use_deformable_attention(transformer: Any) -> None:
    """Replace mmcv's attention in mmdet's layers, which hard-code its class.

    Args:
        transformer: An encoder or decoder that was just built: the weights
            of its attention are initialised again.
    """
    for layer in transformer.layers:
        for name in ('self_attn', 'cross_attn'):
            module = getattr(layer, name, None)
            if type(module) is MultiScaleDeformableAttention:
                config = getattr(layer, f'{name}_cfg')
                setattr(layer, name, DeformableAttention(**config))
