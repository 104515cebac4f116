"""MUTR: one temporal transformer for text and sound (AAAI 2024)."""

from dataclasses import replace
from typing import Any, Optional

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...errors import InputError
from ...structures import (
    DecodedVideo,
    EncodedReferences,
    ReferenceTokens,
    VideoFeatures,
)
from ..layers import TemporalAggregation, TemporalInteraction
from .base import full_precision
from .pyramid import build_optional
from .referformer import ReferFormer


@MODELS.register_module()
class MUTR(ReferFormer):
    """ReferFormer with references that have seen the video (MTA) and queries
    that speak for all of its frames (MTI).

    frames -> backbone -> input projection            (``encode_video``)
    -> tokens gather from all frames (MTA)
    -> fusion with tokens -> deformable encoder
    -> decoder, queries made of the first gathered token
    -> queries of all frames interact (MTI)           (``decode_video``)
    -> cross-modal FPN -> dynamic mask head           (``refer``)

    Classes and masks come from the video's queries, boxes from each frame's.

    References are texts or sounds: a batch has one modality, and goes
    through its own encoder, all else is shared ("Joint Training for
    Multi-modality").

    Args:
        text_encoder: Config of what makes tokens of expressions; None if
            the model takes no texts.
        sound_encoder: Config of what makes tokens of soundtracks; None if
            the model takes no sounds.
        mta: Arguments of :class:`TemporalAggregation`; None leaves it out
            (Table 7), the sentence is the queries' content then.
        mti: Arguments of :class:`TemporalInteraction`; None leaves it out
            (Table 7).
        published_habits: Compute what the published code computes, for its
            checkpoints: in training no windows of MTI are shifted; at test
            time MTI runs on the last decoder layer's queries, but the
            **first** layer's class branch scores them, and boxes and the
            points from which masks are drawn are the first layer's. Without,
            windows are shifted in training too and all that answers is the
            last layer's, as it was trained.
        kwargs: Arguments of :class:`ReferFormer`; ``fusion`` adds.
    """

    def __init__(
        self,
        text_encoder: Optional[dict] = None,
        sound_encoder: Optional[dict] = None,
        mta: Optional[dict] = None,
        mti: Optional[dict] = None,
        published_habits: bool = False,
        **kwargs: Any,
    ) -> None:
        if text_encoder is None and sound_encoder is None:
            raise InputError.of(
                'MUTR',
                'text_encoder and sound_encoder',
                None,
                'one of them, or both',
            )
        super().__init__(text_encoder=text_encoder, **kwargs)
        self.published_habits = published_habits
        self.sound_encoder = build_optional(sound_encoder)
        self.mta: Optional[nn.Module] = None
        self.mti: Optional[nn.Module] = None
        if mta is not None:
            self.mta = TemporalAggregation(self.embed_dims, **mta)
        if mti is not None:
            self.mti = TemporalInteraction(
                self.num_queries, self.embed_dims, **mti
            )

    def init_weights(self) -> None:
        super().init_weights()
        for part in (self.mta, self.mti):
            for module in part.modules() if part is not None else ():
                # Embeddings stay as far from each other as they were drawn:
                # ten times closer, all of the video's queries would be one.
                if isinstance(module, nn.Embedding):
                    continue
                for parameter in module.parameters(recurse=False):
                    if parameter.dim() > 1:
                        nn.init.xavier_uniform_(parameter)

    def query_content(
        self, video: VideoFeatures, tokens: ReferenceTokens
    ) -> Tensor:
        """Start the queries from the first token after MTA."""
        if self.mta is None:
            return super().query_content(video, tokens)
        return self.mta(
            tokens, video.levels, video.num_frames, video.is_padded
        )

    def decode_video(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> DecodedVideo:
        """Decode, then let the queries of all frames interact (MTI)."""
        decoded = super().decode_video(video, references)
        if self.published_habits and not self.training:
            return self.as_published(decoded)
        with full_precision(decoded.states.device):
            queries = [self.clip_queries(state) for state in decoded.states]
        return replace(decoded, queries=torch.stack(queries))

    def as_published(self, decoded: DecodedVideo) -> DecodedVideo:
        """Pair the last layer's queries with the first layer's rest.

        So the published code does at test time: the one layer that is left
        is the first, whose class branch, boxes and reference points are
        used, but its queries are made of the last layer's states.
        """
        with full_precision(decoded.states.device):
            queries = self.clip_queries(decoded.states[-1])
        return replace(
            decoded,
            states=decoded.states[:1],
            queries=queries[None],
            reference_points=decoded.reference_points[:2],
        )

    def clip_queries(self, state: Tensor) -> Tensor:
        """Make the video's queries, the same in all frames: (B, T, N, C)."""
        if self.mti is None:
            return state
        shift = not (self.published_habits and self.training)
        return self.mti(state, shift)
