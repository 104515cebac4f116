"""Cross-Modality Interaction Encoding (ProxyFormer, Section III-A)."""

from dataclasses import dataclass, replace
from typing import Optional, Sequence, Tuple

import torch
from einops import rearrange
from torch import Tensor, nn

from ...errors import InputError
from ...structures import ReferenceTokens
from .attention import Attention
from .frames import per_frame

# What the pixels of a stage attend to: the proxy queries (equation 3), the
# words ("w/o proxy queries", Table VIII), or nothing ("w/o P2V", Table IV).
PIXELS_READ = ('proxies', 'words', None)


@dataclass
class FrameTokens:
    """Tokens of every frame of B clips, such as its pixels or its queries.

    Args:
        x: (B, T, P, C).
        places: (B or 1, P, C), the position of each token in its frame.
        times: (T, C), the position of each frame in its clip.
        padding_mask: (B, P) bool, True where a frame has no token; None
            where nothing is padded.
    """

    x: Tensor
    places: Tensor
    times: Tensor
    padding_mask: Optional[Tensor] = None

    def frames(self, part: slice) -> 'FrameTokens':
        """Cut out some frames."""
        return replace(self, x=self.x[:, part], times=self.times[part])

    def in_space(self) -> Tensor:
        """Tokens with their places, (B, T, P, C)."""
        return self.x + self.places[:, None]

    def in_time(self) -> Tensor:
        """Tokens with their times, (B, T, P, C)."""
        return self.x + self.times[:, None]

    def pooled(self) -> Tensor:
        """Average the tokens of each frame, padding left out: (B, T, C)."""
        if self.padding_mask is None:
            return self.x.mean(2)
        valid = (~self.padding_mask)[:, None, :, None].to(self.x)
        return (self.x * valid).sum(2) / valid.sum(2).clamp(min=1)


class SpaceTimeAttention(nn.Module):
    """Attention from tokens to tokens of a clip, in space and in time.

    Decoupled, two branches run side by side, each with its residual and its
    norm, and their results are added (equations 2, 3 and 5, Figure 2):

    - space: the tokens of a frame attend to those of the same frame;
    - time: tokens of all frames attend to one token per frame: where they
      attend to themselves the one in the same place, otherwise the average
      of the frame's tokens.

    Joint, every token attends to all tokens of all frames.

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        dropout: Of attention weights and results.
        joint: Do not decouple space and time ("CMIE*", Table IV).
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        dropout: float = 0.0,
        joint: bool = False,
    ) -> None:
        super().__init__()
        self.joint = joint
        self.space = Attention(embed_dims, num_heads, dropout)
        self.time = (
            None if joint else Attention(embed_dims, num_heads, dropout)
        )

    def forward(
        self,
        tokens: FrameTokens,
        memory: Optional[FrameTokens] = None,
        chunk: Optional[int] = None,
    ) -> Tensor:
        """Attend.

        Args:
            tokens: (B, T, P, C), what attends.
            memory: (B, T, M, C), what is attended to; None: the tokens.
            chunk: Frames whose tokens are computed at once, and as many
                tokens of all frames in the time branch: memory, not the
                result, depends on it. None: all.

        Returns:
            (B, T, P, C).
        """
        if self.joint:
            return self.attend_jointly(tokens, memory or tokens)
        num_frames, num_places = tokens.x.shape[1:3]
        chunk = chunk or num_frames
        averages = None if memory is None else memory.pooled()
        parts = []
        for start in range(0, num_frames, chunk):
            part = slice(start, start + chunk)
            some = tokens.frames(part)
            if memory is None or averages is None:
                parts.append(self.attend_in_space(some, some))
            else:
                parts.append(
                    self.attend_in_space(some, memory.frames(part))
                    + self.attend_to_frames(some, averages, memory.times)
                )
        x = join(parts, 1)
        if memory is not None:
            return x
        # As many tokens at once as in space.
        step = max(1, chunk * num_places // num_frames) * len(x)
        return x + self.attend_per_place(tokens, step)

    def attend_jointly(
        self, tokens: FrameTokens, memory: FrameTokens
    ) -> Tensor:
        """Attend to all tokens of all frames."""
        num_frames = tokens.x.shape[1]
        mask = memory.padding_mask
        query = tokens.in_space() + tokens.times[:, None]
        key = memory.in_space() + memory.times[:, None]
        x = self.space(
            tokens.x.flatten(1, 2),
            query.flatten(1, 2),
            key.flatten(1, 2),
            memory.x.flatten(1, 2),
            None if mask is None else mask.repeat(1, num_frames),
        )
        return x.view_as(tokens.x)

    def attend_in_space(
        self, tokens: FrameTokens, memory: FrameTokens
    ) -> Tensor:
        """Attend to the tokens of the same frame."""
        mask = memory.padding_mask
        if mask is not None:
            mask = per_frame(mask, tokens.x.shape[1])
        x = self.space(
            tokens.x.flatten(0, 1),
            tokens.in_space().flatten(0, 1),
            memory.in_space().flatten(0, 1),
            memory.x.flatten(0, 1),
            mask,
        )
        return x.view_as(tokens.x)

    def attend_per_place(
        self, tokens: FrameTokens, step: Optional[int]
    ) -> Tensor:
        """Attend to the same place in all frames, some places at a time."""
        assert self.time is not None
        x = rearrange(tokens.x, 'b t p c -> (b p) t c')
        parts = []
        for part in x.split(step or len(x)):
            query = part + tokens.times
            parts.append(self.time(part, query, query, part))
        return rearrange(
            join(parts, 0), '(b p) t c -> b t p c', b=len(tokens.x)
        )

    def attend_to_frames(
        self, tokens: FrameTokens, value: Tensor, times: Tensor
    ) -> Tensor:
        """Attend to one token per frame: (B, T, C), with times (T, C)."""
        assert self.time is not None
        x = self.time(
            tokens.x.flatten(1, 2),
            tokens.in_time().flatten(1, 2),
            value + times,
            value,
        )
        return x.view_as(tokens.x)


class CrossModalInteraction(nn.Module):
    """One CMIE stage: pixels and proxy queries exchange what they know.

    pixels F, proxies Q, words -> a linear layer each
    F -> attends to itself -> attends to the proxies         = next pixels
    Q -> attends to the words -> attends to the pixels       = next proxies

    Both halves read what enters the stage, so they could run side by side.
    There is no feed-forward network (Figure 2).

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        dropout: Of attention weights and results.
        joint: Do not decouple space and time ("CMIE*", Tables IV and VIII).
        pixels_read: What the pixels attend to after themselves: 'proxies';
            'words' ("w/o proxy queries", Table VIII b); None ("w/o P2V",
            Table IV).

    Raises:
        InputError: ``pixels_read`` is none of these.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        dropout: float = 0.0,
        joint: bool = False,
        pixels_read: Optional[str] = 'proxies',
    ) -> None:
        super().__init__()
        if pixels_read not in PIXELS_READ:
            raise InputError.of(
                'CMIE',
                'pixels_read',
                pixels_read,
                ', '.join(map(repr, PIXELS_READ)),
            )

        def interaction() -> SpaceTimeAttention:
            return SpaceTimeAttention(embed_dims, num_heads, dropout, joint)

        def attention() -> Attention:
            return Attention(embed_dims, num_heads, dropout)

        self.pixels_read = pixels_read
        self.pixel_entry = nn.Linear(embed_dims, embed_dims)
        self.proxy_entry = nn.Linear(embed_dims, embed_dims)
        self.word_entry = nn.Linear(embed_dims, embed_dims)
        self.pixels_to_pixels = interaction()
        self.proxies_to_pixels: Optional[nn.Module] = None
        if pixels_read == 'proxies':
            self.proxies_to_pixels = interaction()
        elif pixels_read == 'words':
            self.proxies_to_pixels = attention()
        self.words_to_proxies = attention()
        self.pixels_to_proxies = interaction()

    def forward(
        self,
        pixels: FrameTokens,
        proxies: FrameTokens,
        words: ReferenceTokens,
        chunk: Optional[int] = None,
    ) -> Tuple[Tensor, Tensor]:
        """Run the stage.

        Args:
            pixels: (B, T, P, C).
            proxies: (B, T, N, C).
            words: B references, as the text encoder gives them.
            chunk: See :class:`SpaceTimeAttention`.

        Returns:
            The next pixels (B, T, P, C) and proxies (B, T, N, C).
        """
        pixels = enter(pixels, self.pixel_entry)
        proxies = enter(proxies, self.proxy_entry)
        tokens = self.word_entry(words.tokens)
        keys = tokens + words.positions
        # Pixels (equations 2 and 3).
        x = self.pixels_to_pixels(pixels, None, chunk)
        if self.pixels_read == 'proxies':
            assert self.proxies_to_pixels is not None
            x = self.proxies_to_pixels(replace(pixels, x=x), proxies, chunk)
        elif self.pixels_read == 'words':
            assert self.proxies_to_pixels is not None
            query = (x + pixels.places[:, None]).flatten(1, 2)
            x = self.proxies_to_pixels(
                x.flatten(1, 2), query, keys, tokens, words.padding_mask
            ).view_as(x)
        # Proxies (equations 4 and 5).
        query = proxies.in_space().flatten(1, 2)
        q = self.words_to_proxies(
            proxies.x.flatten(1, 2), query, keys, tokens, words.padding_mask
        ).view_as(proxies.x)
        q = self.pixels_to_proxies(replace(proxies, x=q), pixels, chunk)
        return x, q


def enter(tokens: FrameTokens, linear: nn.Module) -> FrameTokens:
    """Map tokens as they enter a stage."""
    return replace(tokens, x=linear(tokens.x))


def join(parts: Sequence[Tensor], dim: int) -> Tensor:
    """Concatenate; the only part is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim)
