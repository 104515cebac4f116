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
    """ReferFormer with temporal aggregation (MTA) and interaction (MTI).

    frames -> backbone -> input projection            (``encode_video``)
    -> tokens attend to all frames (MTA)
    -> fusion with tokens -> deformable encoder
    -> decoder, queries start from the first token after MTA
    -> queries of all frames interact (MTI)           (``decode_video``)
    -> cross-modal FPN -> dynamic mask head           (``refer``)

    Classes and masks are predicted from the queries of the video, boxes from
    the queries of each frame.

    References are texts or sounds. A batch has one modality; each modality
    has its own encoder, all other parts are shared ("Joint Training for
    Multi-modality").

    Args:
        text_encoder: Config of the text encoder; None for a model without
            texts.
        sound_encoder: Config of the sound encoder; None for a model without
            sounds.
        mta: Arguments of :class:`TemporalAggregation`; None leaves it out
            (Table 7), and queries start from the sentence.
        mti: Arguments of :class:`TemporalInteraction`; None leaves it out
            (Table 7).
        published_habits: Reproduce the published code, for its checkpoints:
            in training the windows of MTI are not shifted; at test time MTI
            runs on the queries of the last decoder layer, but the class
            branch, the boxes and the reference points are those of the
            **first** layer. False shifts the windows in training too, and
            uses the last layer for everything, as it was trained.
        kwargs: Arguments of :class:`ReferFormer`; the paper's ``fusion`` has
            ``combine='add'``.
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
                # Embeddings keep their standard deviation of 1: at a tenth of
                # it the queries of the video would be nearly identical.
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
        """Combine the queries of the last layer with the first layer.

        This is what the published code computes at test time: it keeps only
        the first layer, with its class branch, boxes and reference points,
        but its queries come from the states of the last layer.
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
        """Compute the queries of the video, (B, T, N, C).

        They are the same in all frames; without MTI they are the states.
        """
        if self.mti is None:
            return state
        shift = not (self.published_habits and self.training)
        return self.mti(state, shift)
