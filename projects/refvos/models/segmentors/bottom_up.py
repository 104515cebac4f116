"""The base line without queries of ReferFormer's Table 4."""

from typing import Dict, List, Optional, Sequence

import torch
from einops import rearrange
from mmdet.models.layers import DetrTransformerEncoder
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...structures import (
    Answer,
    EncodedReferences,
    FeatureLevel,
    RefDataSample,
    ReferenceTokens,
    VideoFeatures,
)
from ..layers import CrossModalFPN
from .base import full_precision
from .pyramid import PyramidSegmentor, build_optional, xavier_matrices


@MODELS.register_module()
class BottomUpTransformer(PyramidSegmentor):
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
        backbone: Config of a backbone with four levels, strides 4 to 32.
        text_encoder: Config of what makes tokens of expressions.
        encoder: Arguments of ``DetrTransformerEncoder``.
        fpn: Arguments of :class:`CrossModalFPN`, without its channels; it
            fuses no words.
        in_channels: Channels of the backbone's levels, finest first.
        embed_dims: C.
        clip_frames: Frames that see each other.
        loss: Config of :class:`ClipMaskLoss`; without it the model only
            predicts.
        data_preprocessor: Config of :class:`RefDataPreprocessor`.
        test_cfg: See :class:`BaseReferringSegmentor`.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        text_encoder: dict,
        encoder: dict,
        fpn: Optional[dict] = None,
        in_channels: Sequence[int] = (256, 512, 1024, 2048),
        embed_dims: int = 256,
        clip_frames: int = 5,
        loss: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
        test_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(
            backbone,
            in_channels,
            embed_dims,
            # Strides 8, 16 and 32: nothing looks at a coarser level.
            len(in_channels) - 1,
            data_preprocessor,
            test_cfg,
            init_cfg,
        )
        self.clip_frames = clip_frames
        self.text_encoder = MODELS.build(text_encoder)
        self.encoder = DetrTransformerEncoder(**encoder)
        self.fpn = CrossModalFPN(
            [in_channels[0]] + [embed_dims] * 3,
            embed_dims,
            **{'fuse_words': False, **(fpn or {})},
        )
        self.mask_conv = nn.Conv2d(embed_dims, 1, 1)
        self.mask_loss = build_optional(loss)

    def init_weights(self) -> None:
        super().init_weights()
        xavier_matrices(self.encoder, self.fpn)

    def loss(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> Dict[str, Tensor]:
        """Mask losses of B clips."""
        if self.mask_loss is None:
            raise ValueError('the model was built without a loss')
        masks = self._forward(inputs, data_samples)
        with full_precision(inputs.device):
            return self.mask_loss(
                masks, data_samples, tuple(inputs.shape[-2:])
            )

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
    ) -> Tensor:
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
        memory = self.encode(video, tokens)
        masks = self.mask_conv(self.make_mask_features(memory, video, tokens))
        return self.by_clip(masks[:, 0], video).float()

    def encode(self, video: VideoFeatures, tokens: ReferenceTokens) -> Tensor:
        """Encode all pixels and words together.

        Returns:
            The pixels, (B*T, C, H/32, W/32).
        """
        level, num_frames = video.levels[-1], video.num_frames
        pixels = rearrange(
            level.values(), '(b t) c h w -> b (t h w) c', t=num_frames
        )
        place = level.positions.flatten(2).transpose(1, 2)  # (B, h*w, C)
        encoded = self.encoder(
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
            encoded[:, : pixels.shape[1]],
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
        inside = probabilities > self.test_cfg.threshold
        scores = (probabilities * inside).sum(1) / inside.sum(1).clamp(min=1)
        return Answer(masks=masks, scores=scores)
