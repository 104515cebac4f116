"""Cross-modal feature pyramid (ReferFormer, Section 3.3, Figure 4)."""

from typing import Any, Iterable, List, Optional, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from ...structures import FeatureLevel, ReferenceTokens
from .attention import attend_to_tokens
from .frames import add_positions, maps_of, tokens_of

# Tokens per step of the feed-forward network, without gradients.
TOKENS_AT_ONCE = 2048


class VisionLanguageBlock(nn.Module):
    """Attention of pixels across all frames, then to the words.

    It has two steps: :meth:`attend_across_frames` needs all frames of a
    clip, but only down-sampled; :meth:`forward` computes the rest for any
    part of the frames.

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        feedforward_channels: Hidden channels of the feed-forward network.
        reduction: Factor by which maps are down-sampled (nearest, sizes
            floored) for the self-attention; its result is up-sampled
            (bilinear).
        dropout: Dropout after each part and inside the feed-forward network.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        reduction: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.self_attention = nn.MultiheadAttention(
            embed_dims, num_heads, dropout, batch_first=True
        )
        self.cross_attention = nn.MultiheadAttention(
            embed_dims, num_heads, dropout, batch_first=True
        )
        self.feedforward = nn.Sequential(
            nn.Linear(embed_dims, feedforward_channels),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(feedforward_channels, embed_dims),
        )
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def shrink(self, maps: Tensor) -> Tensor:
        """Down-sample (..., h, w) by ``reduction``."""
        if self.reduction == 1:
            return maps
        size = [max(1, side // self.reduction) for side in maps.shape[-2:]]
        return F.interpolate(maps, size)

    def attend_across_frames(
        self,
        small: Tensor,
        positions: Tensor,
        padding_mask: Optional[Tensor],
    ) -> Tensor:
        """Run the self-attention over all frames.

        Args:
            small: (B*T, C, h', w'), all frames, result of :meth:`shrink`.
            positions: (B, C, h, w).
            padding_mask: (B, h, w) bool; None if nothing is padded.

        Returns:
            (B*T, C, h', w').
        """
        num_frames = len(small) // len(positions)
        value = tokens_of(small, num_frames)
        query = add_positions(value, self.shrink(positions), num_frames)
        if padding_mask is not None:
            shrunk = self.shrink(padding_mask[:, None].float())
            padding_mask = shrunk.bool().flatten(1).repeat(1, num_frames)
        attended, _ = self.self_attention(
            query,
            query,
            value,
            key_padding_mask=padding_mask,
            need_weights=False,
        )
        return maps_of(attended, num_frames, small.shape[-2:])

    def forward(
        self,
        maps: Tensor,
        attended: Tensor,
        positions: Tensor,
        words: ReferenceTokens,
    ) -> Tensor:
        """Fuse a part of the frames of each clip.

        Args:
            maps: (B*T, C, h, w).
            attended: (B*T, C, h', w'), result of
                :meth:`attend_across_frames` for these frames.
            positions: (B, C, h, w).
            words: Tokens of B references.

        Returns:
            (B*T, C, h, w).
        """
        size = maps.shape[-2:]
        num_frames = len(maps) // len(positions)
        if self.reduction > 1:
            attended = F.interpolate(
                attended, size, mode='bilinear', align_corners=False
            )
        x = maps + self.dropout(attended)
        x = self.norms[0](tokens_of(x, num_frames))  # (B, T*h*w, C)
        text_context = attend_to_tokens(
            self.cross_attention,
            add_positions(x, positions, num_frames),
            words,
        )
        x = self.norms[1](x + self.dropout(text_context))
        x = self.norms[2](x + self.dropout(self.feed_forward(x)))
        return maps_of(x, num_frames, size)

    def feed_forward(self, x: Tensor) -> Tensor:
        """Run the feed-forward network.

        Without gradients it processes ``TOKENS_AT_ONCE`` tokens at a time:
        its hidden layer is 8 times as wide as x, and at stride 4 would be
        the largest tensor of the model.
        """
        if torch.is_grad_enabled():
            return self.feedforward(x)
        flat = x.flatten(0, 1)
        output = torch.empty_like(flat)
        for start in range(0, len(flat), TOKENS_AT_ONCE):
            part = slice(start, start + TOKENS_AT_ONCE)
            output[part] = self.feedforward(flat[part])
        return output.view_as(x)


class CrossModalFPN(nn.Module):
    """Top-down feature pyramid with vision-language fusion at every level.

    Args:
        in_channels: Channels of the levels, finest (stride 4) first.
        embed_dims: C.
        num_heads: Attention heads of the blocks.
        feedforward_channels: Hidden channels of the feed-forward networks.
        reductions: Spatial reduction of the self-attention per level, finest
            first (Section 3.3: 8, 4, 2, 1).
        dropout: Dropout of the blocks.
        fuse_words: False leaves the blocks out (Table 4, "w/o
            Visual-language Fusion").
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        embed_dims: int = 256,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        reductions: Sequence[int] = (8, 4, 2, 1),
        dropout: float = 0.1,
        fuse_words: bool = True,
    ) -> None:
        super().__init__()

        def conv(channels: int, kernel_size: int, relu: bool) -> ConvModule:
            return ConvModule(
                channels,
                embed_dims,
                kernel_size,
                padding=kernel_size // 2,
                bias=False,
                norm_cfg=dict(type='GN', num_groups=8),
                act_cfg=dict(type='ReLU') if relu else None,
            )

        self.laterals = nn.ModuleList(
            conv(channels, 1, relu=False) for channels in in_channels
        )
        self.outputs = nn.ModuleList(
            conv(embed_dims, 3, relu=True) for _ in in_channels
        )
        self.blocks = nn.ModuleList(
            VisionLanguageBlock(
                embed_dims,
                num_heads,
                feedforward_channels,
                reduction,
                dropout,
            )
            for reduction in (reductions if fuse_words else ())
        )
        self.mask_features = nn.Conv2d(embed_dims, embed_dims, 3, padding=1)

    def project(self, levels: List[FeatureLevel]) -> List[Tensor]:
        """Project all levels to C channels, (B*T, C, h, w) each."""
        return [
            lateral(level.values())
            for lateral, level in zip(self.laterals, levels)
        ]

    def shrink(
        self, maps: List[Tensor], levels: List[FeatureLevel]
    ) -> List[Tensor]:
        """Down-sample keys and values for the attention across frames.

        Args:
            maps: Result of :meth:`project`.
            levels: Strides 4, 8, 16, 32.

        Returns:
            (B, T, C, h', w') per level; empty if ``fuse_words`` is False.
        """
        blocks: Iterable[Any] = self.blocks
        return [
            block.shrink(each).unflatten(0, (len(level.positions), -1))
            for block, each, level in zip(blocks, maps, levels)
        ]

    def attend_across_frames(
        self,
        parts: Sequence[List[Tensor]],
        levels: List[FeatureLevel],
        is_padded: bool,
    ) -> List[Tensor]:
        """Run the attention between the pixels of all frames.

        Args:
            parts: Results of :meth:`shrink` for the parts of the clip. They
                are **emptied level by level**, so that the levels of a long
                video are not in memory twice.
            levels: Levels of any part; positions and padding are the same in
                all of them.
            is_padded: Whether any clip of the batch is padded.

        Returns:
            (B, T, C, h', w') per level.
        """
        attended = []
        blocks: Iterable[Any] = self.blocks
        for block, level in zip(blocks, levels):
            whole = torch.cat([part.pop(0) for part in parts], 1)
            result = block.attend_across_frames(
                whole.flatten(0, 1),
                level.positions,
                level.padding_mask if is_padded else None,
            )
            attended.append(result.view_as(whole))
        return attended

    def fuse(
        self,
        maps: List[Tensor],
        levels: List[FeatureLevel],
        words: ReferenceTokens,
        attended: List[Tensor],
    ) -> Tensor:
        """Run the pyramid on a part of the frames.

        The last convolution, ``mask_features``, is not applied.

        Args:
            maps: Result of :meth:`project`.
            levels: Strides 4, 8, 16, 32, with positions of C channels.
            words: Tokens of B references.
            attended: Result of :meth:`attend_across_frames` for these
                frames.

        Returns:
            (B*T, C, H/4, W/4), the input of ``mask_features``.
        """
        top: Optional[Tensor] = None
        for index in reversed(range(len(levels))):
            x = maps[index]
            if self.blocks:
                x = self.blocks[index](
                    x,
                    attended[index].flatten(0, 1),
                    levels[index].positions,
                    words,
                )
            if top is not None:
                x = x + F.interpolate(top, x.shape[-2:])
            top = self.outputs[index](x)
        assert top is not None
        return top

    def forward(
        self,
        levels: List[FeatureLevel],
        words: ReferenceTokens,
        is_padded: bool,
    ) -> Tensor:
        """Compute the mask features of whole clips.

        Args:
            levels: Strides 4, 8, 16, 32, with positions of C channels.
            words: Tokens of B references.
            is_padded: Whether any clip of the batch is padded.

        Returns:
            (B*T, C, H/4, W/4).
        """
        maps = self.project(levels)
        parts = [self.shrink(maps, levels)]
        attended = self.attend_across_frames(parts, levels, is_padded)
        return self.mask_features(self.fuse(maps, levels, words, attended))
