"""The base line without queries of ReferFormer's Table 4."""

from typing import Any, List, Optional, Sequence

import torch
from einops import rearrange
from mmdet.models.layers import DetrTransformerEncoder
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...structures import (
    Answer,
    EncodedReferences,
    FeatureLevel,
    ReferenceTokens,
    VideoFeatures,
)
from .referformer import ReferFormer


@MODELS.register_module()
class BottomUpTransformer(ReferFormer):
    """Segment from pixels alone: no queries, no boxes, no dynamic kernels.

    frames -> backbone -> input projection            (``encode_video``)
    -> pixels of all frames and words in one sequence
    -> transformer encoder -> pyramid -> masks        (``refer``)

    Section 4.4: the pixels of a clip of 5 frames are flattened, the words
    are appended, a plain transformer encoder relates all of them, the pixels
    are taken out again, and "a standard FPN-like architecture" makes masks
    of them. Where the paper is silent, this is the plainest reading:

    - the encoder sees one level, the coarsest (stride 32), and has as many
      layers as ReferFormer's;
    - pixels and words carry the positions that ReferFormer gives them, the
      same in every frame;
    - the pyramid is ReferFormer's without the words, from the memory
      (stride 32), two projected levels and the backbone's finest one;
    - a 1x1 convolution draws the mask, trained with ReferFormer's mask
      losses;
    - a longer video is answered 5 frames at a time, the last ones alone;
    - a frame's score is the mean probability of the pixels in its mask.

    Args:
        clip_frames: Frames that see each other.
        decoder: As ``fusion``, ``num_queries``, ``num_classes``,
            ``num_levels`` and ``mask_head``: taken, so that a config can
            inherit ReferFormer's, and not used.
        kwargs: Of :class:`ReferFormer`; ``encoder`` is that of
            ``DetrTransformerEncoder``, ``fpn`` has ``fuse_words=False``,
            ``loss`` is :class:`ClipMaskLoss`.
    """

    def __init__(
        self,
        clip_frames: int = 5,
        decoder: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(decoder=decoder or {}, **kwargs)
        self.clip_frames = clip_frames

    def build_projections(
        self, in_channels: Sequence[int], num_levels: int
    ) -> nn.ModuleList:
        """Strides 8, 16 and 32: nothing looks at a coarser level."""
        return super().build_projections(in_channels, len(in_channels) - 1)

    def build_encoder(
        self, encoder: dict, fusion: Optional[dict], num_levels: int
    ) -> None:
        self.encoder = DetrTransformerEncoder(**encoder)

    def build_queries(
        self, decoder: dict, num_queries: int, num_classes: int
    ) -> None:
        """There are none."""

    def build_mask_head(self, mask_head: Optional[dict]) -> None:
        self.mask_conv = nn.Conv2d(self.embed_dims, 1, 1)

    def build_loss(self, loss: dict, num_classes: int) -> nn.Module:
        return MODELS.build(loss)

    def init_queries(self) -> None:
        """There are none."""

    def extract_maps(self, frames: Tensor) -> List[Tensor]:
        """Run the backbone, which sees no more frames than the rest does."""
        clips = [
            super(BottomUpTransformer, self).extract_maps(clip)
            for clip in frames.split(self.clip_frames, dim=1)
        ]
        batch = len(frames)
        return [
            torch.cat(
                [maps.unflatten(0, (batch, -1)) for maps in level], 1
            ).flatten(0, 1)
            for level in zip(*clips)
        ]

    def refer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> Any:
        """Draw masks, clip after clip; (B, T, H/4, W/4) logits."""
        tokens = references.only()
        starts = range(0, video.num_frames, self.clip_frames)
        return torch.cat(
            [
                self.segment(
                    video.frames(start, start + self.clip_frames), tokens
                )
                for start in starts
            ],
            dim=1,
        )

    def segment(self, video: VideoFeatures, tokens: ReferenceTokens) -> Tensor:
        """Draw the masks of clips of a few frames; (B, T, H/4, W/4)."""
        memory = self.relate(video, tokens)
        masks = self.mask_conv(self.make_mask_features(memory, video, tokens))
        return self.by_clip(masks[:, 0], video).float()

    def relate(self, video: VideoFeatures, tokens: ReferenceTokens) -> Tensor:
        """Relate all pixels and words; the pixels, (B*T, C, H/32, W/32)."""
        level, num_frames = video.levels[-1], video.num_frames
        pixels = rearrange(
            level.values(), '(b t) c h w -> b (t h w) c', t=num_frames
        )
        place = level.positions.flatten(2).transpose(1, 2)  # (B, h*w, C)
        related = self.encoder(
            query=torch.cat((pixels, tokens.tokens), 1),
            query_pos=torch.cat(
                (place.repeat(1, num_frames, 1), tokens.positions), 1
            ),
            key_padding_mask=torch.cat(
                (
                    level.padding_mask.flatten(1).repeat(1, num_frames),
                    tokens.padding_mask,
                ),
                1,
            ),
        )
        return rearrange(
            related[:, : pixels.shape[1]],
            'b (t h w) c -> (b t) c h w',
            t=num_frames,
            h=level.features.shape[-2],
        )

    def make_mask_features(
        self, memory: Tensor, video: VideoFeatures, tokens: ReferenceTokens
    ) -> Tensor:
        """Run the pyramid, the memory on top; (B*T, C, H/4, W/4)."""
        top = video.levels[-1]
        levels = [
            video.high_resolution,
            *video.levels[:-1],
            FeatureLevel(memory, top.positions, top.padding_mask),
        ]
        return self.fpn(levels, tokens, video.is_padded)

    def answer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> Answer:
        """Draw the masks of one video.

        A frame's score is the mean probability of the pixels in its mask, 0
        where there is none. The model has no boxes and no candidates.
        """
        masks = self.refer(video, references)[0]
        probabilities = masks.flatten(1).sigmoid()
        inside = probabilities > self.test_cfg['threshold']
        scores = (probabilities * inside).sum(1) / inside.sum(1).clamp(min=1)
        return Answer(masks=masks, scores=scores)
