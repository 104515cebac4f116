"""Temporal modules of MUTR (Yan et al., AAAI 2024): MTA and MTI."""

from typing import Any, List

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ...structures import FeatureLevel, ReferenceTokens
from .attention import Attention, FeedForward
from .frames import per_frame


class TemporalAggregation(nn.Module):
    """MTA: attention of the tokens to all frames, level by level.

    At every level the tokens attend to the projected pixels of all frames
    ("Multi-scale Temporal Aggregation", equations 2 and 3).

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        feedforward_channels: Hidden channels of the feed-forward networks.
        num_blocks: Number of consecutive blocks at every level; all levels
            share their weights, as in the published code (and in the count
            of Table 5).
        temporal: False attends to one frame at a time, so that each frame
            has its own tokens (Table 5, "multi-scale" alone).
        num_levels: Number of levels that are attended to, the coarsest ones;
            1 is the coarsest alone (Table 5, "temporal" alone).
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        num_blocks: int = 1,
        temporal: bool = True,
        num_levels: int = 4,
    ) -> None:
        super().__init__()
        self.temporal = temporal
        self.num_levels = num_levels
        self.attentions = nn.ModuleList(
            Attention(embed_dims, num_heads, 0.0) for _ in range(num_blocks)
        )
        self.feedforwards = nn.ModuleList(
            FeedForward(embed_dims, feedforward_channels, 0.0)
            for _ in range(num_blocks)
        )

    def forward(
        self,
        tokens: ReferenceTokens,
        levels: List[FeatureLevel],
        num_frames: int,
        is_padded: bool,
    ) -> Tensor:
        """Aggregate the video into the tokens.

        Args:
            tokens: Tokens of B references.
            levels: Levels of B clips, before the fusion with words.
            num_frames: T.
            is_padded: Whether any clip of the batch is padded.

        Returns:
            (B * T, C): the first token per frame; it is the same in all
            frames of a clip if ``temporal`` is True.
        """
        x, positions = tokens.tokens, tokens.positions
        if not self.temporal:
            x, positions = (
                per_frame(x, num_frames),
                per_frame(positions, num_frames),
            )
        for level in levels[-self.num_levels :]:
            pattern = '(b t) c h w -> b (t h w) c'
            if not self.temporal:
                pattern = '(b t) c h w -> (b t) (h w) c'
            pixels = rearrange(level.values(), pattern, t=num_frames)
            mask = None
            if is_padded:
                mask = level.padding_mask.flatten(1)
                mask = (
                    mask.repeat(1, num_frames)
                    if self.temporal
                    else per_frame(mask, num_frames)
                )
            for attention, feedforward in zip(
                self.attentions, self.feedforwards
            ):
                x = attention(x, x + positions, pixels, pixels, mask)
                x = feedforward(x)
        first = x[:, 0]
        return per_frame(first, num_frames) if self.temporal else first


class TemporalInteraction(nn.Module):
    """MTI: interaction of the queries of all frames.

    Encoder: self-attention within windows of frames, which are shifted by
    half a window in every second layer. Decoder: N learned queries attend to
    the queries of all frames ("Multi-object Temporal Interaction").

    Args:
        num_queries: N.
        embed_dims: C.
        num_heads: Attention heads.
        feedforward_channels: Hidden channels of the feed-forward networks.
        num_encoder_layers: Encoder layers; 0 leaves the encoder out
            (Table 6).
        num_decoder_layers: Decoder layers; 0 leaves the decoder out, and
            every frame keeps its own queries (Table 6).
        window: Number of frames per window.
        dropout: Dropout of all attentions and feed-forward networks.
    """

    def __init__(
        self,
        num_queries: int,
        embed_dims: int = 256,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        num_encoder_layers: int = 3,
        num_decoder_layers: int = 3,
        window: int = 4,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.window = window

        def attentions(count: int) -> nn.ModuleList:
            return nn.ModuleList(
                Attention(embed_dims, num_heads, dropout) for _ in range(count)
            )

        def feedforwards(count: int) -> nn.ModuleList:
            return nn.ModuleList(
                FeedForward(embed_dims, feedforward_channels, dropout)
                for _ in range(count)
            )

        self.encoder_attentions = attentions(num_encoder_layers)
        self.encoder_feedforwards = feedforwards(num_encoder_layers)
        self.cross_attentions = attentions(num_decoder_layers)
        self.self_attentions = attentions(num_decoder_layers)
        self.feedforwards = feedforwards(num_decoder_layers)
        if num_decoder_layers:
            self.slot_positions = nn.Embedding(num_queries, embed_dims)
            self.query_positions = nn.Embedding(num_queries, embed_dims)
            self.query_content = nn.Embedding(num_queries, embed_dims)
            self.norm = nn.LayerNorm(embed_dims)

    def forward(self, frames: Tensor, shift: bool = True) -> Tensor:
        """Compute the queries of the video from those of all frames.

        Args:
            frames: (B, T, N, C), states of the transformer decoder.
            shift: Whether to shift the windows of every second layer.

        Returns:
            (B, T, N, C), the queries of the video, the same in all frames.
        """
        frames = self.encode(frames, shift)
        if not self.cross_attentions:
            return frames
        batch, num_frames = frames.shape[:2]
        memory = frames.flatten(1, 2)  # (B, T*N, C)
        key = memory + self.slot_positions.weight.repeat(num_frames, 1)
        x = self.query_content.weight.expand(batch, -1, -1)
        position = self.query_positions.weight
        for cross, own, feedforward in zip(
            self.cross_attentions, self.self_attentions, self.feedforwards
        ):
            x = cross(x, x + position, key, memory)
            x = own(x, x + position, x + position, x)
            x = feedforward(x)
        return self.norm(x)[:, None].expand(-1, num_frames, -1, -1)

    def encode(self, frames: Tensor, shift: bool) -> Tensor:
        """Run the encoder: self-attention within windows, (B, T, N, C)."""
        num_frames, num_queries = frames.shape[1:3]
        padding = -num_frames % self.window
        x = F.pad(frames, (0, 0, 0, 0, 0, padding))
        # Frames of different regions do not attend to each other.
        region = torch.zeros(x.shape[1], dtype=torch.long, device=x.device)
        region[num_frames:] = 1
        half = (self.window + 1) // 2
        for index, (attention, feedforward) in enumerate(
            zip(self.encoder_attentions, self.encoder_feedforwards)
        ):
            shifted = shift and index % 2 == 1
            regions = region
            if shifted:
                x = x.roll(half, 1)
                # Frames rolled from the end to the beginning are separate.
                regions = region.roll(half) + 2 * (
                    torch.arange(len(region), device=x.device) < half
                )
            x = self.window_attention(x, regions, attention, num_queries)
            if shifted:
                x = x.roll(-half, 1)
            x = feedforward(x)
        return x[:, :num_frames]

    def window_attention(
        self,
        x: Tensor,
        regions: Tensor,
        attention: Any,
        num_queries: int,
    ) -> Tensor:
        """Run the self-attention of one encoder layer within windows.

        Args:
            x: (B, T, N, C), T a multiple of the window.
            regions: (T,) numbers; frames attend to each other within a
                region only.
            attention: :class:`Attention` of the layer.
            num_queries: N.
        """
        batch = len(x)
        tokens = rearrange(x, 'b (g w) n c -> (b g) (w n) c', w=self.window)
        mask = None
        if bool((regions != regions[0]).any()):
            owner = regions.view(-1, self.window)
            owner = owner.repeat_interleave(num_queries, 1)  # (windows, w*N)
            apart = owner[:, :, None] != owner[:, None]
            heads = attention.attention.num_heads
            mask = apart.repeat(batch, 1, 1).repeat_interleave(heads, 0)
        tokens = attention(tokens, tokens, tokens, tokens, attn_mask=mask)
        return rearrange(
            tokens,
            '(b g) (w n) c -> b (g w) n c',
            b=batch,
            w=self.window,
        )
