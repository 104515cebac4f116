"""ReferFormer: language as queries (Wu et al., CVPR 2022)."""

import math
from dataclasses import replace
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import (
    MLP,
    DeformableDetrTransformerDecoder,
    DeformableDetrTransformerEncoder,
)
from mmdet.models.layers.transformer.utils import inverse_sigmoid
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...structures import (
    Answer,
    DecodedVideo,
    EncodedReferences,
    MaskPyramid,
    RefDataSample,
    ReferenceTokens,
    VideoFeatures,
)
from ..layers import (
    CrossModalFPN,
    DynamicMaskHead,
    PixelReferenceFusion,
    use_deformable_attention,
)
from ..layers.frames import per_frame
from ..losses import QueryOutputs
from .base import full_precision
from .pyramid import PyramidSegmentor, build_optional, xavier_matrices
from .test_config import ALL_CANDIDATES


@MODELS.register_module()
class ReferFormer(PyramidSegmentor):
    """Segment the object that an expression refers to in every frame.

    frames -> backbone -> input projection            (``encode_video``)
    -> fusion with words -> deformable encoder        (``encode``)
    -> decoder, queries made of the sentence          (``decode``)
    -> cross-modal FPN                                (``decode_video``)
    -> class of every query                           (``score_queries``)
    -> the best query                                 (``choose_queries``)
    -> dynamic mask head                              (``draw_masks``)

    In training every decoder layer predicts and the loss matches a query
    (``refer``); at test time the last layer predicts (``answer``).

    Args:
        backbone: Config of a backbone with four levels, strides 4 to 32.
        text_encoder: Config of the text encoder; None is for subclasses
            whose references have other modalities.
        encoder: Arguments of ``DeformableDetrTransformerEncoder``.
        decoder: Arguments of ``DeformableDetrTransformerDecoder``.
        fpn: Arguments of :class:`CrossModalFPN`, without its channels.
        mask_head: Arguments of :class:`DynamicMaskHead`, without
            ``embed_dims``.
        in_channels: Channels of the backbone's levels, finest first.
        fusion: Arguments of :class:`PixelReferenceFusion`, without
            ``embed_dims``; None leaves it out.
        num_queries: N, queries per frame (Table 6a).
        num_classes: K; 1 is "referred or not", more are the categories of
            the referred object (Table D1).
        embed_dims: C.
        num_levels: Levels of the deformable transformer.
        loss: Config of :class:`ClipSetLoss`; None for a model that only
            predicts.
        data_preprocessor: Config of :class:`RefDataPreprocessor`.
        test_cfg: See :class:`BaseReferringSegmentor`.
        init_cfg: Config of mmengine's initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        text_encoder: Optional[dict],
        encoder: dict,
        decoder: dict,
        fpn: Optional[dict] = None,
        mask_head: Optional[dict] = None,
        in_channels: Sequence[int] = (256, 512, 1024, 2048),
        fusion: Optional[dict] = None,
        num_queries: int = 5,
        num_classes: int = 1,
        embed_dims: int = 256,
        num_levels: int = 4,
        loss: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
        test_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(
            backbone,
            in_channels,
            embed_dims,
            num_levels,
            data_preprocessor,
            test_cfg,
            init_cfg,
        )
        self.num_queries = num_queries
        self.text_encoder = build_optional(text_encoder)
        # Encoder.
        self.level_embedding = nn.Parameter(
            torch.zeros(num_levels, embed_dims)
        )
        self.fusion: Optional[nn.Module] = None
        if fusion is not None:
            self.fusion = PixelReferenceFusion(embed_dims, **fusion)
        self.encoder = DeformableDetrTransformerEncoder(**encoder)
        use_deformable_attention(self.encoder)
        # Decoder, its queries and the prediction branches of each layer.
        self.decoder = DeformableDetrTransformerDecoder(**decoder)
        use_deformable_attention(self.decoder)
        self.query_embedding = nn.Embedding(num_queries, embed_dims)
        self.reference_points = nn.Linear(embed_dims, 2)
        num_layers = self.decoder.num_layers
        self.class_branches = nn.ModuleList(
            nn.Linear(embed_dims, num_classes) for _ in range(num_layers)
        )
        self.box_branches = nn.ModuleList(
            MLP(embed_dims, embed_dims, 4, 3) for _ in range(num_layers)
        )
        # Pyramid and masks.
        self.fpn = CrossModalFPN(
            [in_channels[0]] + [embed_dims] * 3, embed_dims, **(fpn or {})
        )
        self.mask_head = DynamicMaskHead(embed_dims, **(mask_head or {}))
        self.set_loss = build_optional(loss, num_classes=num_classes)

    def init_weights(self) -> None:
        """Initialise as the published code does."""
        super().init_weights()
        xavier_matrices(self.encoder, self.decoder, self.fpn)
        if self.fusion is not None:
            xavier_matrices(self.fusion)
        for module in self.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()
        nn.init.normal_(self.level_embedding)
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)
        for index in range(self.decoder.num_layers):
            init_branches(
                self.class_branches[index], self.box_branches[index], index
            )
        self.mask_head.init_weights()

    # --------------------------------------------------- training and testing

    def loss(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> Dict[str, Tensor]:
        """Compute the losses of B clips, a row per reference."""
        if self.set_loss is None:
            raise ValueError('the model was built without a loss')
        decoded = self.decode_video(*self.encode_batch(inputs, data_samples))
        layers = self.predict_layers(decoded)
        with full_precision(inputs.device):
            losses, matched = self.set_loss(
                layers, data_samples, tuple(inputs.shape[-2:])
            )
            losses.update(self.extra_losses(decoded, matched))
        return losses

    def extra_losses(
        self, decoded: DecodedVideo, matched: Tensor
    ) -> Dict[str, Tensor]:
        """Compute further losses of a subclass; there are none here.

        Args:
            decoded: The result of :meth:`decode_video`.
            matched: (L, B) indices of the queries matched in each layer.
        """
        return {}

    def refer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> List[QueryOutputs]:
        """Predict with all decoder layers; masks are drawn on demand."""
        return self.predict_layers(self.decode_video(video, references))

    def predict_layers(self, decoded: DecodedVideo) -> List[QueryOutputs]:
        """Predict with all decoder layers of a decoded batch."""
        # All layers draw masks from the same features: compute them once.
        pyramid = MaskPyramid(
            [], [], False, features=self.make_mask_features(decoded)
        )
        decoded = replace(decoded, pyramid=pyramid)
        return [
            self.predict_layer(decoded, layer)
            for layer in range(decoded.num_layers)
        ]

    def predict_layer(self, decoded: DecodedVideo, layer: int) -> QueryOutputs:
        """Predict with one decoder layer."""
        has_gradients = torch.is_grad_enabled()

        def draw(chosen: Tensor) -> Tensor:
            chosen = repeat(chosen, 'b k -> b t k', t=decoded.num_frames)
            # Decoded without gradients, drawn without gradients: the caller
            # may draw later, in another context.
            enabled = has_gradients and torch.is_grad_enabled()
            with torch.set_grad_enabled(enabled):
                return self.draw_masks(decoded, chosen, layer)

        return QueryOutputs(
            self.score_queries(decoded, layer),
            self.predict_boxes(decoded, layer),
            draw,
        )

    def answer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> Answer:
        """Segment the object of one reference with the last decoder layer.

        Only the masks of the chosen queries are drawn.
        """
        decoded = self.decode_video(video, references)
        last = decoded.num_layers - 1
        logits = self.score_queries(decoded, last)
        # The score is the probability of the best class: (T, N).
        scores = logits[0].sigmoid().amax(-1)
        chosen = self.choose_queries(decoded, scores)  # (T, K)
        masks = self.draw_masks(decoded, chosen[None], last)[0]
        boxes = take_queries(self.predict_boxes(decoded, last)[0], chosen)
        scores = scores.gather(1, chosen)
        answers = [
            Answer(masks[:, place], scores[:, place], boxes[:, place])
            for place in range(chosen.shape[1])
        ]
        if not self.num_candidates:
            return answers[0]
        order = chosen[0].argsort().tolist()
        return replace(
            answers[0], candidates=[answers[place] for place in order]
        )

    @property
    def num_candidates(self) -> int:
        """K, the queries that are returned as candidates."""
        wanted = self.test_cfg.candidates
        if wanted == ALL_CANDIDATES:
            return self.num_queries
        return min(wanted, self.num_queries)

    # -------------------------------------------------------- the named steps

    def decode_video(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> DecodedVideo:
        """Run encoder and decoder, and prepare the pyramid.

        Encoder, decoder and pyramid process each frame alone, so without
        gradients they run on a few frames at a time. Only the attention of
        the pyramid across frames needs all of them, down-sampled.
        """
        tokens = references.only()
        parts = video.split(self.frames_at_once(video.num_frames))
        encoded = (self.encode(part, tokens) for part in parts)
        content = self.by_clip(self.query_content(video, tokens), video)
        return self.decode_parts(parts, encoded, content, references)

    def decode_parts(
        self,
        parts: List[VideoFeatures],
        encoded: Iterable[Tuple[Tensor, Dict[str, Any]]],
        content: Tensor,
        references: EncodedReferences,
    ) -> DecodedVideo:
        """Run the decoder on encoded parts and prepare the pyramid.

        Args:
            parts: Consecutive frames of the video.
            encoded: The results of :meth:`encode` for the parts, in order.
            content: Initial content of the queries: (B, T, C) for all
                queries of a frame, or (B, T, N, C).
            references: The B encoded references.
        """
        starts = content.split([part.num_frames for part in parts], dim=1)
        is_padded = parts[0].is_padded
        kept_levels, small, states, points = [], [], [], []
        for part, (memory, flat), start in zip(parts, encoded, starts):
            state, refined = self.decode(memory, flat, start.flatten(0, 1))
            states.append(state.unflatten(1, (len(part), -1)))
            points.append([self.by_clip(x, part) for x in refined])
            levels = self.pyramid_levels(memory, part)
            maps = self.fpn.project(levels)
            small.append(self.fpn.shrink(maps, levels))
            if len(parts) > 1:
                levels = [self.store(level) for level in levels]
            kept_levels.append(levels)
        all_states = torch.cat(states, 2)
        return DecodedVideo(
            states=all_states,
            queries=all_states,
            reference_points=[torch.cat(each, 1) for each in zip(*points)],
            references=references,
            image_shapes=parts[0].image_shapes,
            pyramid=MaskPyramid(
                kept_levels,
                self.fpn.attend_across_frames(small, levels, is_padded),
                is_padded,
                maps if len(parts) == 1 else None,
            ),
        )

    def score_queries(self, decoded: DecodedVideo, layer: int) -> Tensor:
        """Classify the queries of a decoder layer: logits (B, T, N, K)."""
        queries = decoded.queries[layer]
        with full_precision(queries.device):
            return self.class_branches[layer](queries)

    def choose_queries(self, decoded: DecodedVideo, scores: Tensor) -> Tensor:
        """Choose the query with the best mean score (Section 3.5).

        Args:
            decoded: Result of :meth:`decode_video` for one video.
            scores: (T, N), probabilities.

        Returns:
            (T, K) indices, the best query first, then the other candidates.
        """
        order = scores.mean(0).argsort(descending=True, stable=True)
        return order[: max(1, self.num_candidates)].expand(len(scores), -1)

    def draw_masks(
        self, decoded: DecodedVideo, chosen: Tensor, layer: int
    ) -> Tensor:
        """Draw the masks of the chosen queries.

        Args:
            decoded: The result of :meth:`decode_video`.
            chosen: (B, T, K) indices of queries.
            layer: Index of the decoder layer.

        Returns:
            (B, T, K, h, w) mask logits.
        """
        queries = take_queries(decoded.queries[layer], chosen)
        # The refined reference points, which carry no gradient.
        points = take_queries(decoded.reference_points[layer + 1], chosen)[
            ..., :2
        ]
        masks = []
        start = 0
        for features, conv in self.pyramid_features(decoded):
            stop = start + len(features) // len(chosen)
            # Coordinates reach hundreds of pixels: keep float32.
            with full_precision(features.device):
                drawn = self.mask_head(
                    queries[:, start:stop],
                    features.float(),
                    points[:, start:stop],
                    decoded.image_shapes,
                    conv,
                )
            masks.append(drawn)
            start = stop
        return masks[0] if len(masks) == 1 else torch.cat(masks, 1)

    # --------------------------------------------------------------- encoder

    def encode(
        self, video: VideoFeatures, tokens: ReferenceTokens
    ) -> Tuple[Tensor, Dict[str, Any]]:
        """Fuse with the words, then run the deformable encoder.

        Returns:
            Memory (B*T, S, C), S the pixels of all levels, and the layout of
            the levels in it, see :meth:`describe_levels`.
        """
        num_frames = video.num_frames
        pixels, positions = [], []
        for index, level in enumerate(video.levels):
            x = rearrange(
                level.values(), '(b t) c h w -> b (t h w) c', t=num_frames
            )
            if self.fusion is not None:
                x = self.fusion(x, tokens)
            pixels.append(rearrange(x, 'b (t p) c -> (b t) p c', t=num_frames))
            place = level.positions.flatten(2).transpose(1, 2)
            positions.append(place + self.level_embedding[index])
        flat = self.describe_levels(video)
        memory = self.encoder(
            query=torch.cat(pixels, 1),
            query_pos=per_frame(torch.cat(positions, 1), num_frames),
            **flat,
        )
        return memory, flat

    # --------------------------------------------------------------- decoder

    def query_content(
        self, video: VideoFeatures, tokens: ReferenceTokens
    ) -> Tensor:
        """Return the initial content of all queries of a frame, (B*T, C).

        It is the feature of the sentence.
        """
        return per_frame(tokens.sentence, video.num_frames)

    def decode(
        self, memory: Tensor, flat: Dict[str, Any], content: Tensor
    ) -> Tuple[Tensor, List[Tensor]]:
        """Run the decoder.

        Args:
            memory: The first result of :meth:`encode`.
            flat: The second one.
            content: Initial content of the queries: (B*T, C) for all queries
                of a frame, or (B*T, N, C).

        Returns:
            States (layers, B*T, N, C), and reference points before the
            first and after each layer: (B*T, N, 2), then (B*T, N, 4).
        """
        position = self.query_embedding.weight  # (N, C)
        batch = len(memory)
        if content.dim() == 2:
            content = repeat(content, 'b c -> b n c', n=self.num_queries)
        # bfloat16 has 8 bits: box corners would move by several pixels.
        with full_precision(memory.device):
            start = self.reference_points(position).sigmoid()
            states, refined = self.decoder(
                query=content.float(),
                query_pos=position.expand(batch, -1, -1),
                value=memory.float(),
                reference_points=start.expand(batch, -1, -1),
                reg_branches=self.box_branches,
                **flat,
            )
        return states, [start.expand(batch, -1, -1), *refined]

    def predict_boxes(self, decoded: DecodedVideo, layer: int) -> Tensor:
        """Predict the boxes of a layer: (B, T, N, 4) cx, cy, w, h in 0..1."""
        if not torch.is_grad_enabled():
            # Without gradients the decoder has computed the same boxes.
            return decoded.reference_points[layer + 1]
        with full_precision(decoded.states.device):
            delta = self.box_branches[layer](decoded.states[layer])
            reference = inverse_sigmoid(decoded.reference_points[layer])
            if reference.shape[-1] == 2:
                reference = F.pad(reference, (0, 2))
            return (delta + reference).sigmoid()

    # --------------------------------------------------------------- pyramid

    def pyramid_features(
        self, decoded: DecodedVideo
    ) -> Iterator[Tuple[Tensor, Optional[nn.Conv2d]]]:
        """Run the cross-modal FPN, one part of the frames after the other.

        Yields:
            Features (B*t, C, H/4, W/4) of a part, and the convolution that is
            still to be applied to get mask features; None if they are mask
            features already.
        """
        pyramid, tokens = decoded.pyramid, decoded.references.only()
        if pyramid.features is not None:
            yield pyramid.features, None
            return
        start = 0
        for levels in pyramid.parts:
            maps = pyramid.maps or self.fpn.project(levels)
            stop = start + len(maps[0]) // len(levels[0].positions)
            attended = [x[:, start:stop] for x in pyramid.attended]
            start = stop
            features = self.fpn.fuse(maps, levels, tokens, attended)
            yield features, self.fpn.mask_features

    def make_mask_features(self, decoded: DecodedVideo) -> Tensor:
        """Compute the mask features of all frames, (B*T, C, H/4, W/4)."""
        batch = len(decoded.image_shapes)
        parts = [
            features if conv is None else conv(features)
            for features, conv in self.pyramid_features(decoded)
        ]
        if len(parts) == 1:
            return parts[0]
        by_clip = [part.unflatten(0, (batch, -1)) for part in parts]
        return torch.cat(by_clip, 1).flatten(0, 1)


def take_queries(x: Tensor, chosen: Tensor) -> Tensor:
    """Pick queries of each frame: (..., N, C), (..., K) -> (..., K, C)."""
    return x.take_along_dim(chosen[..., None], dim=-2)


def init_branches(class_branch: Any, box_branch: Any, layer: int) -> None:
    """Initialise a decoder layer's branches.

    Classes start as "not referred", boxes at their reference points.
    """
    # The probability of "referred" starts at 0.01 (focal loss).
    nn.init.constant_(class_branch.bias, -math.log(99))
    last = box_branch.layers[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    if layer == 0:
        nn.init.constant_(last.bias[2:], -2.0)
