"""MUTR: one temporal transformer for text and sound (AAAI 2024)."""

from typing import Any, Optional

from mmdet.registry import MODELS
from torch import Tensor, nn

from ...errors import InputError
from ...structures import ReferenceTokens, VideoFeatures
from ..layers import TemporalAggregation, TemporalInteraction
from .referformer import ReferFormer


@MODELS.register_module()
class MUTR(ReferFormer):
    """ReferFormer with references that have seen the video (MTA) and queries
    that speak for all of its frames (MTI).

    frames -> backbone -> input projection            (``encode_video``)
    -> tokens gather from all frames (MTA)
    -> fusion with tokens -> deformable encoder
    -> decoder, queries made of the first gathered token
    -> queries of all frames meet (MTI)
    -> cross-modal FPN -> dynamic mask head           (``refer``)

    Classes and masks come from the video's queries, boxes from each frame's.

    References are texts or sounds: a batch has one modality, and goes
    through its own encoder, all else is shared ("Joint Training for
    Multi-modality").

    Args:
        text_encoder: Makes tokens of expressions; None: there are none.
        sound_encoder: Makes tokens of soundtracks; None: there are none.
        mta: Of :class:`TemporalAggregation`; None leaves it out (Table 7),
            the sentence is the queries' content then.
        mti: Of :class:`TemporalInteraction`; None leaves it out (Table 7).
        published_habits: Compute what the published code computes, for its
            checkpoints: in training no windows of MTI are shifted; at test
            time MTI runs on the last decoder layer's queries, but the
            **first** layer's class branch scores them, and boxes and the
            points from which masks are drawn are the first layer's. Without,
            windows are shifted in training too and all that answers is the
            last layer's, as it was trained.
        kwargs: Of :class:`ReferFormer`; ``fusion`` adds.
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
        self.sound_config = sound_encoder
        self.mta_config, self.mti_config = mta, mti
        self.published_habits = published_habits
        super().__init__(text_encoder=text_encoder, **kwargs)

    def build_reference_encoders(self, text_encoder: Optional[dict]) -> None:
        self.text_encoder, self.sound_encoder = (
            None if config is None else MODELS.build(config)
            for config in (text_encoder, self.sound_config)
        )

    def build_queries(
        self, decoder: dict, num_queries: int, num_classes: int
    ) -> None:
        super().build_queries(decoder, num_queries, num_classes)
        self.mta: Optional[nn.Module] = None
        self.mti: Optional[nn.Module] = None
        if self.mta_config is not None:
            self.mta = TemporalAggregation(self.embed_dims, **self.mta_config)
        if self.mti_config is not None:
            self.mti = TemporalInteraction(
                num_queries, self.embed_dims, **self.mti_config
            )

    def init_queries(self) -> None:
        super().init_queries()
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
        """The first token after MTA."""
        if self.mta is None:
            return super().query_content(video, tokens)
        return self.mta(
            tokens, video.levels, video.num_frames, video.is_padded
        )

    def clip_queries(self, state: Tensor) -> Tensor:
        """The video's queries, the same in all frames: (B, T, N, C)."""
        if self.mti is None:
            return state
        shift = not (self.published_habits and self.training)
        return self.mti(state, shift)

    def predicting_layers(self) -> range:
        """All in training; the published code's first one at test time."""
        if self.published_habits and not self.training:
            return range(1)
        return super().predicting_layers()

    def state_of(self, layer: int) -> int:
        """The last one, where the published first branches answer."""
        if self.published_habits and not self.training:
            return self.decoder.num_layers - 1
        return super().state_of(layer)
