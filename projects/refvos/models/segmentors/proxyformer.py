"""ProxyFormer: queries that travel with the video (Sun et al.)."""

from dataclasses import replace
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...structures import (
    DecodedVideo,
    EncodedReferences,
    FeatureLevel,
    ReferenceTokens,
    VideoFeatures,
)
from ..layers import CrossModalInteraction, FrameTokens, sine_positions_1d
from .pyramid import build_optional, xavier_matrices
from .referformer import ReferFormer

Encoded = Tuple[Tensor, Dict[str, Any]]


@MODELS.register_module()
class ProxyFormer(ReferFormer):
    """ReferFormer whose queries gather words and video while it is encoded.

    frames -> backbone -> input projection            (``encode_video``)
    -> deformable encoder                             (``encode``)
    -> pixels and proxy queries interact, K stages    (``interact``)
    -> decoder, queries made of the proxies           (``decode``)
    -> cross-modal FPN -> class, box, dynamic mask head

    In each stage the coarse pixels of all frames and N proxy queries per
    frame exchange what they know, and the proxies read the words.
    In training the matched proxy query, averaged over time, is drawn to what
    video and text say together (JSC).

    Args:
        cmie: Arguments of :class:`CrossModalInteraction`, without
            ``embed_dims``.
        num_stages: K, interaction stages (Table VII).
        cmie_reductions: The interaction works on the coarsest levels, one
            per number, down-sampled by these factors (nearest), finest
            first; what it changes is up-sampled (bilinear).
        jsc: Config of :class:`JointSemanticConsistency`; None leaves it out
            (Table IV).
        kwargs: Arguments of :class:`ReferFormer`.
    """

    def __init__(
        self,
        cmie: Optional[dict] = None,
        num_stages: int = 4,
        cmie_reductions: Sequence[int] = (2, 1, 1),
        jsc: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cmie_reductions = tuple(cmie_reductions)
        self.proxies = nn.Embedding(self.num_queries, self.embed_dims)
        self.stages = nn.ModuleList(
            CrossModalInteraction(self.embed_dims, **(cmie or {}))
            for _ in range(num_stages)
        )
        self.jsc = build_optional(jsc, embed_dims=self.embed_dims)

    def init_weights(self) -> None:
        super().init_weights()
        xavier_matrices(self.stages)

    # -------------------------------------------------------------- training

    def extra_losses(
        self, decoded: DecodedVideo, matched: Tensor
    ) -> Dict[str, Tensor]:
        """Joint semantic consistency of the matched proxies."""
        if self.jsc is None:
            return {}
        proxies = decoded.extras['proxies'].mean(1)  # (B, N, C)
        clips = torch.arange(len(proxies), device=proxies.device)
        loss = self.jsc(
            # The last decoder layer's choice is the answer's.
            proxies[clips, matched[-1]],
            decoded.extras['pixels'].pooled().mean(1),
            decoded.references.only().pooled(),
        )
        return dict(loss_jsc=loss)

    # -------------------------------------------------------- the named steps

    def decode_video(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> DecodedVideo:
        """Encode, let pixels and proxies interact, then decode.

        The interaction needs the coarse levels of all frames, down-sampled;
        the levels themselves wait, packed, and then go through decoder and
        pyramid a few frames at a time.
        """
        tokens = references.only()
        parts = video.split(self.frames_at_once(video.num_frames))
        kept_levels: List[List[FeatureLevel]] = []
        coarse: List[Tensor] = []
        for part in parts:
            memory, _ = self.encode(part, tokens)
            levels = self.memory_levels(memory, part)
            coarse.append(self.by_clip(self.coarse_pixels(levels), part))
            if len(parts) > 1:
                levels = [self.store(level) for level in levels]
            kept_levels.append(levels)
        before = torch.cat(coarse, 1)
        pixels, proxies = self.interact(video, before, tokens)
        changes = pixels.x - before

        def encoded() -> Iterator[Encoded]:
            start = 0
            for part, levels in zip(parts, kept_levels):
                stop = start + part.num_frames
                change = changes[:, start:stop].flatten(0, 1)
                start = stop
                yield self.changed(levels, change), self.describe_levels(part)

        decoded = self.decode_parts(parts, encoded(), proxies, references)
        return replace(decoded, extras={'proxies': proxies, 'pixels': pixels})

    def coarse_pixels(self, levels: List[FeatureLevel]) -> Tensor:
        """Line up the pixels that interact: (B*T, P, C)."""
        coarse = levels[-len(self.cmie_reductions) :]
        return torch.cat(
            [
                shrink(level.features, factor).flatten(2).mT
                for level, factor in zip(coarse, self.cmie_reductions)
            ],
            1,
        )

    def changed(self, levels: List[FeatureLevel], change: Tensor) -> Tensor:
        """Add what the interaction changed to the levels.

        Args:
            levels: All levels of some frames.
            change: (B*t, P, C), of their :meth:`coarse_pixels`.

        Returns:
            The memory of these frames, (B*t, S, C).
        """
        maps = [level.values() for level in levels]
        first = len(maps) - len(self.cmie_reductions)
        start = 0
        for index, factor in enumerate(self.cmie_reductions, start=first):
            size = shrunk_size(maps[index], factor)
            stop = start + size[0] * size[1]
            part = change[:, start:stop].mT.unflatten(-1, size)
            start = stop
            if factor > 1:
                part = F.interpolate(
                    part,
                    maps[index].shape[-2:],
                    mode='bilinear',
                    align_corners=False,
                )
            maps[index] = maps[index] + part
        return torch.cat([x.flatten(2).mT for x in maps], 1)

    def interact(
        self, video: VideoFeatures, coarse: Tensor, words: ReferenceTokens
    ) -> Tuple[FrameTokens, Tensor]:
        """Run the interaction stages.

        Args:
            video: Says where the pixels lie.
            coarse: (B, T, P, C), the coarse levels' pixels of all frames.
            words: B references.

        Returns:
            The pixels, and the proxies (B, T, N, C).
        """
        # Every frame of a clip is there: nothing is padded in time.
        nowhere = coarse.new_zeros(1, video.num_frames, dtype=torch.bool)
        times = sine_positions_1d(nowhere, self.embed_dims)[0].to(coarse)
        places, padding_mask = self.coarse_places(video)
        pixels = FrameTokens(coarse, places, times, padding_mask)
        proxies = FrameTokens(
            self.proxies.weight.expand(*coarse.shape[:2], -1, -1),
            self.query_embedding.weight[None],
            times,
        )
        chunk = self.frames_at_once(video.num_frames)
        for stage in self.stages:
            x, q = stage(pixels, proxies, words, chunk)
            pixels, proxies = replace(pixels, x=x), replace(proxies, x=q)
        return pixels, proxies.x

    def coarse_places(
        self, video: VideoFeatures
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """Positions (B, P, C) and padding (B, P) of the coarse pixels."""
        first = len(video.levels) - len(self.cmie_reductions)
        places, masks = [], []
        for index, factor in enumerate(self.cmie_reductions, start=first):
            level = video.levels[index]
            place = shrink(level.positions, factor).flatten(2).mT
            places.append(place + self.level_embedding[index])
            mask = shrink(level.padding_mask[:, None].float(), factor)
            masks.append(mask.flatten(1).bool())
        padding_mask = torch.cat(masks, 1) if video.is_padded else None
        return torch.cat(places, 1), padding_mask


def shrunk_size(maps: Tensor, factor: int) -> Tuple[int, int]:
    """Size of maps (..., h, w) after :func:`shrink`."""
    height, width = maps.shape[-2:]
    return max(1, height // factor), max(1, width // factor)


def shrink(maps: Tensor, factor: int) -> Tensor:
    """Take every ``factor``-th pixel of (B, C, h, w)."""
    if factor == 1:
        return maps
    return F.interpolate(maps, shrunk_size(maps, factor))
