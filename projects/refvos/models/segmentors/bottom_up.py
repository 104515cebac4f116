"""The query-free baseline of ReferFormer (Table 4)."""

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
    """Segment from pixels, without queries, boxes or dynamic kernels.

    frames -> backbone -> input projection            (``encode_video``)
    -> pixels of all frames and words in one sequence
    -> transformer encoder -> pyramid -> masks        (``refer``)

    Section 4.4: the pixels of a clip of 5 frames are flattened, the words
    are appended, a transformer encoder runs on all of them, the pixels are
    split off again, and "a standard FPN-like architecture" predicts masks
    from them. Details that the paper leaves open are chosen as follows:

    - the input of the encoder is one level, the coarsest (stride 32), and it
      has the number of layers of ReferFormer's encoder;
    - pixels and words have the positional encodings of ReferFormer, the same
      in every frame;
    - the pyramid is ReferFormer's without the words, on the memory (stride
      32), two projected levels and the finest level of the backbone;
    - a 1x1 convolution predicts the mask; the mask losses are ReferFormer's;
    - a longer video is split into clips of 5 frames, the last one shorter;
    - the score of a frame is the mean probability of the pixels in its mask.

    Args:
        backbone: Config of a backbone with four levels, strides 4 to 32.
        text_encoder: Config of the text encoder.
        encoder: Arguments of ``DetrTransformerEncoder``.
        fpn: Arguments of :class:`CrossModalFPN`, without its channels; it
            fuses no words.
        in_channels: Channels of the backbone's levels, finest first.
        embed_dims: C.
        clip_frames: Number of frames that attend to each other.
        loss: Config of :class:`ClipMaskLoss`; None for a model that only
            predicts.
        data_preprocessor: Config of :class:`RefDataPreprocessor`.
        test_cfg: See :class:`BaseReferringSegmentor`.
        init_cfg: Config of mmengine's initialisation.
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
            # Strides 8, 16 and 32: a coarser level would not be used.
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
        """Compute the mask losses of B clips."""
        if self.mask_loss is None:
            raise ValueError('the model was built without a loss')
        masks = self._forward(inputs, data_samples)
        with full_precision(inputs.device):
            return self.mask_loss(
                masks, data_samples, tuple(inputs.shape[-2:])
            )

    def extract_maps(self, frames: Tensor) -> List[Tensor]:
        """Run the backbone on clips of ``clip_frames`` frames."""
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
        """Predict mask logits (B, T, H/4, W/4), one clip after the other."""
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
        """Predict mask logits (B, T, H/4, W/4) of clips of a few frames."""
        memory = self.encode(video, tokens)
        masks = self.mask_conv(self.make_mask_features(memory, video, tokens))
        return self.by_clip(masks[:, 0], video).float()

    def encode(self, video: VideoFeatures, tokens: ReferenceTokens) -> Tensor:
        """Encode all pixels and words together.

        Returns:
            The encoded pixels, (B*T, C, H/32, W/32).
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
        """Run the pyramid with the memory as its coarsest level.

        Returns:
            (B*T, C, H/4, W/4).
        """
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
        """Segment the object of one reference in one video.

        The score of a frame is the mean probability of the pixels in its
        mask, 0 if the mask is empty. The model has no boxes and no
        candidates.
        """
        masks = self.refer(video, references)[0]
        probabilities = masks.flatten(1).sigmoid()
        inside = probabilities > self.test_cfg.threshold
        scores = (probabilities * inside).sum(1) / inside.sum(1).clamp(min=1)
        return Answer(masks=masks, scores=scores)
