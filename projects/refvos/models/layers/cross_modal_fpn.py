"""The cross-modal feature pyramid (ReferFormer, Section 3.3, Figure 4)."""

from typing import List, Optional, Sequence

import torch.nn.functional as F
from einops import rearrange
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from ...structures import FeatureLevel, ReferenceTokens


class VisionLanguageBlock(nn.Module):
    """Pixels of all frames look at each other, then at the words.

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        feedforward_channels: Width of the feed-forward network.
        reduction: The self-attention runs on maps shrunk by this factor
            (nearest, sizes floored), its answer is grown back (bilinear).
        dropout: After each part and inside the feed-forward network.
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

    def forward(
        self,
        maps: Tensor,
        positions: Tensor,
        padding_mask: Optional[Tensor],
        words: ReferenceTokens,
    ) -> Tensor:
        """Fuse one level.

        Args:
            maps: (B*T, C, h, w).
            positions: (B, C, h, w).
            padding_mask: (B, h, w) bool, None where nothing is padded.
            words: B references.

        Returns:
            (B*T, C, h, w).
        """
        size = maps.shape[-2:]
        num_frames = len(maps) // len(positions)
        x = tokens_of(maps, num_frames)  # (B, T*h*w, C)
        seen = self.look_around(maps, positions, padding_mask, num_frames)
        x = self.norms[0](x + self.dropout(seen))
        place = positions.flatten(2).transpose(1, 2)  # (B, h*w, C)
        query = x.unflatten(1, (num_frames, -1)) + place[:, None]
        heard, _ = self.cross_attention(
            query=query.flatten(1, 2),
            key=words.tokens + words.positions,
            value=words.tokens,
            key_padding_mask=words.padding_mask,
            need_weights=False,
        )
        x = self.norms[1](x + self.dropout(heard))
        x = self.norms[2](x + self.dropout(self.feedforward(x)))
        return rearrange(x, 'b (t h w) c -> (b t) c h w', h=size[0], w=size[1])

    def look_around(
        self,
        maps: Tensor,
        positions: Tensor,
        padding_mask: Optional[Tensor],
        num_frames: int,
    ) -> Tensor:
        """Self-attention over all frames, on shrunk maps; (B, T*h*w, C)."""
        size = maps.shape[-2:]
        if self.reduction > 1:
            small = [max(1, side // self.reduction) for side in size]
            maps = F.interpolate(maps, small)
            positions = F.interpolate(positions, small)
            if padding_mask is not None:
                padding_mask = shrink_mask(padding_mask, small)
        value = tokens_of(maps, num_frames)
        place = positions.flatten(2).transpose(1, 2)  # (B, h*w, C)
        query = value.unflatten(1, (num_frames, -1)) + place[:, None]
        query = query.flatten(1, 2)
        if padding_mask is not None:
            padding_mask = padding_mask.flatten(1).repeat(1, num_frames)
        seen, _ = self.self_attention(
            query,
            query,
            value,
            key_padding_mask=padding_mask,
            need_weights=False,
        )
        if self.reduction == 1:
            return seen
        seen = rearrange(
            seen,
            'b (t h w) c -> (b t) c h w',
            h=maps.shape[-2],
            w=maps.shape[-1],
        )
        seen = F.interpolate(seen, size, mode='bilinear', align_corners=False)
        return tokens_of(seen, num_frames)


class CrossModalFPN(nn.Module):
    """Top-down pyramid whose levels are fused with the words.

    Args:
        in_channels: Channels of the levels, finest (stride 4) first.
        embed_dims: C.
        num_heads: Attention heads of the blocks.
        feedforward_channels: Width of the blocks' feed-forward networks.
        reductions: Spatial reduction of each level's self-attention, finest
            first (Section 3.3: 8, 4, 2, 1).
        dropout: In the blocks.
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

    def forward(
        self,
        levels: List[FeatureLevel],
        words: ReferenceTokens,
        is_padded: bool,
    ) -> Tensor:
        """Build the mask features.

        Args:
            levels: Strides 4, 8, 16, 32, with positions of C channels.
            words: B references.
            is_padded: Whether the levels' padding masks mask anything.

        Returns:
            (B*T, C, H/4, W/4).
        """
        top: Optional[Tensor] = None
        for index in reversed(range(len(levels))):
            level = levels[index]
            maps = self.laterals[index](level.features)
            if self.blocks:
                maps = self.blocks[index](
                    maps,
                    level.positions,
                    level.padding_mask if is_padded else None,
                    words,
                )
            if top is not None:
                maps = maps + F.interpolate(top, maps.shape[-2:])
            top = self.outputs[index](maps)
        return self.mask_features(top)


def tokens_of(maps: Tensor, num_frames: int) -> Tensor:
    """Line up the pixels of a clip's frames: (B*T, C, h, w) -> (B, Thw, C)."""
    return rearrange(maps, '(b t) c h w -> b (t h w) c', t=num_frames)


def shrink_mask(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Resize a bool mask (B, h, w) by nearest neighbour."""
    return F.interpolate(mask[:, None].float(), tuple(size))[:, 0].bool()
