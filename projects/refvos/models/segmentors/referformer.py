"""ReferFormer: language as queries (Wu et al., CVPR 2022)."""

import math
from dataclasses import replace
from itertools import zip_longest
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from mmcv.cnn import ConvModule
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import (
    MLP,
    DeformableDetrTransformerDecoder,
    DeformableDetrTransformerEncoder,
    SinePositionalEncoding,
)
from mmdet.models.layers.transformer.utils import inverse_sigmoid
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...structures import (
    Answer,
    EncodedReferences,
    FeatureLevel,
    RefDataSample,
    ReferenceTokens,
    VideoFeatures,
    pack_maps,
    padding_mask_of,
)
from ..layers import (
    CrossModalFPN,
    DynamicMaskHead,
    PixelReferenceFusion,
    use_deformable_attention,
)
from ..layers.frames import gather_parts, per_frame, take_frames
from ..losses import ClipOutputs
from .base import AnswerFrames, BaseReferringSegmentor, full_precision


@MODELS.register_module()
class ReferFormer(BaseReferringSegmentor):
    """Segment the object that an expression refers to in every frame.

    frames -> backbone -> input projection            (``encode_video``)
    -> fusion with words -> deformable encoder
    -> decoder, queries made of the sentence
    -> cross-modal FPN -> dynamic mask head           (``refer``)

    Args:
        backbone: Gives four levels, strides 4 to 32.
        text_encoder: Makes tokens of expressions; None is for subclasses whose
            references are something else.
        encoder: Of ``DeformableDetrTransformerEncoder``.
        decoder: Of ``DeformableDetrTransformerDecoder``.
        fpn: Of :class:`CrossModalFPN`, without its channels.
        mask_head: Of :class:`DynamicMaskHead`, without ``embed_dims``.
        in_channels: Channels of the backbone's levels, finest first.
        fusion: Of :class:`PixelReferenceFusion`, without ``embed_dims``.
        num_queries: N, queries a frame (Table 6a).
        num_classes: K; 1 decides "referred or not", more name the referred
            object's category (Table D1).
        embed_dims: C.
        num_levels: Levels of the deformable transformer.
        loss: Of :class:`ClipSetLoss`; without it the model only predicts.
        data_preprocessor: Of :class:`RefDataPreprocessor`.
        test_cfg: See :class:`BaseReferringSegmentor`.
        init_cfg: mmengine's initialisation.
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
        super().__init__(data_preprocessor, test_cfg, init_cfg)
        self.embed_dims = embed_dims
        self.num_queries = num_queries
        self.backbone = MODELS.build(backbone)
        self.build_reference_encoders(text_encoder)
        self.input_projections = self.build_projections(
            in_channels, num_levels
        )
        self.pixel_positions = SinePositionalEncoding(
            embed_dims // 2, normalize=True, offset=-0.5
        )
        self.build_encoder(encoder, fusion, num_levels)
        self.build_queries(decoder, num_queries, num_classes)
        self.fpn = CrossModalFPN(
            [in_channels[0]] + [embed_dims] * 3, embed_dims, **(fpn or {})
        )
        self.build_mask_head(mask_head)
        self.set_loss = (
            None if loss is None else self.build_loss(loss, num_classes)
        )

    def build_reference_encoders(self, text_encoder: Any) -> None:
        """Build what makes tokens of references."""
        self.text_encoder = MODELS.build(text_encoder)

    def build_projections(
        self, in_channels: Sequence[int], num_levels: int
    ) -> nn.ModuleList:
        """1x1 convolutions of strides 8 to 32, 3x3 of stride 2 beyond."""
        norm = dict(type='GN', num_groups=32)
        projections = [
            ConvModule(
                channels,
                self.embed_dims,
                1,
                bias=True,
                norm_cfg=norm,
                act_cfg=None,
            )
            for channels in in_channels[1:]
        ]
        channels = in_channels[-1]
        while len(projections) < num_levels:
            projections.append(
                ConvModule(
                    channels,
                    self.embed_dims,
                    3,
                    stride=2,
                    padding=1,
                    bias=True,
                    norm_cfg=norm,
                    act_cfg=None,
                )
            )
            channels = self.embed_dims
        return nn.ModuleList(projections)

    def build_encoder(
        self, encoder: dict, fusion: Optional[dict], num_levels: int
    ) -> None:
        """Build what makes memory of pixels and words."""
        self.level_embedding = nn.Parameter(
            torch.zeros(num_levels, self.embed_dims)
        )
        self.fusion = PixelReferenceFusion(self.embed_dims, **(fusion or {}))
        self.encoder = DeformableDetrTransformerEncoder(**encoder)
        use_deformable_attention(self.encoder)

    def build_queries(
        self, decoder: dict, num_queries: int, num_classes: int
    ) -> None:
        """Build the decoder, its queries and what each layer says of them."""
        channels = self.embed_dims
        self.decoder = DeformableDetrTransformerDecoder(**decoder)
        use_deformable_attention(self.decoder)
        self.query_embedding = nn.Embedding(num_queries, channels)
        self.reference_points = nn.Linear(channels, 2)
        num_layers = self.decoder.num_layers
        self.class_branches = nn.ModuleList(
            nn.Linear(channels, num_classes) for _ in range(num_layers)
        )
        self.box_branches = nn.ModuleList(
            MLP(channels, channels, 4, 3) for _ in range(num_layers)
        )

    def build_mask_head(self, mask_head: Optional[dict]) -> None:
        """Build what draws masks on the pyramid's features."""
        self.mask_head = DynamicMaskHead(self.embed_dims, **(mask_head or {}))

    def build_loss(self, loss: dict, num_classes: int) -> nn.Module:
        return MODELS.build(dict(num_classes=num_classes, **loss))

    def init_weights(self) -> None:
        """Initialise as the published code does."""
        super().init_weights()
        for name in ('encoder', 'decoder', 'fpn', 'fusion'):
            for parameter in getattr(self, name, nn.Module()).parameters():
                if parameter.dim() > 1:
                    nn.init.xavier_uniform_(parameter)
        for module in self.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()
        for module in self.input_projections.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        self.init_queries()

    def init_queries(self) -> None:
        """Initialise what a model without queries does not have."""
        nn.init.normal_(self.level_embedding)
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)
        for index in range(self.decoder.num_layers):
            init_branches(
                self.class_branches[index], self.box_branches[index], index
            )
        self.mask_head.init_weights()

    # ------------------------------------------------------------- the video

    def encode_video(
        self,
        frames: Tensor,
        image_shapes: List[Tuple[int, int]],
        answer_frames: AnswerFrames = None,
    ) -> VideoFeatures:
        """Backbone and input projections.

        Args:
            frames: (B, T, 3, H, W), normalised and padded.
            image_shapes: (h, w) of each clip without padding.
            answer_frames: Indices of the frames of each clip that go on
                after the backbone, as many in every clip; None for all.
        """
        padded_shape = (frames.shape[-2], frames.shape[-1])
        if answer_frames is not None and not self.sees_clips:
            frames = take_frames(frames, answer_frames)
            answer_frames = None
        # A backbone that sees clips gets all frames; those to be answered
        # come out.
        at_once = self.frames_at_once(frames.shape[1])
        parts = [frames] if self.sees_clips else frames.split(at_once, dim=1)
        maps = gather_parts(
            (self.compact(self.project(x, answer_frames)) for x in parts),
            frames.shape[1]
            if answer_frames is None
            else len(answer_frames[0]),
            self.waiting_device(frames.device),
        )
        mask = padding_mask_of(image_shapes, padded_shape, frames.device)
        num_levels = 1 + len(self.input_projections)
        maps, ranges = maps[:num_levels], maps[num_levels:]
        finest, *levels = (
            self.make_level(*level, mask)
            for level in zip_longest(maps, ranges)
        )
        return VideoFeatures(
            num_frames=maps[0].shape[1],
            image_shapes=image_shapes,
            padded_shape=padded_shape,
            high_resolution=finest,
            levels=levels,
        )

    def project(
        self, frames: Tensor, answer_frames: AnswerFrames = None
    ) -> List[Tensor]:
        """Backbone and input projections of a part of the frames.

        Args:
            frames: (B, T, 3, H, W), as in :meth:`encode_video`.
            answer_frames: Those that are projected; None for all.

        Returns:
            (B, A, c, h, w) each: the finest level as it is, then the
            projected ones.
        """
        if frames.dtype == torch.uint8:
            frames = self.data_preprocessor.normalize(frames)
        maps = self.extract_maps(frames)
        if answer_frames is not None:
            maps = [
                take_frames(
                    level.unflatten(0, frames.shape[:2]), answer_frames
                ).flatten(0, 1)
                for level in maps
            ]
        projected = [
            project(features)
            for project, features in zip(self.input_projections, maps[1:])
        ]
        coarser = maps[-1]
        for project in self.input_projections[len(projected) :]:
            coarser = project(coarser)
            projected.append(coarser)
        return [
            level.unflatten(0, (len(frames), -1))
            for level in (maps[0], *projected)
        ]

    def compact(self, maps: List[Tensor]) -> List[Tensor]:
        """Pack what is kept of a video, all at once.

        Args:
            maps: What :meth:`project` gives.

        Returns:
            The same packed, then their ranges, empty where a level has 16
            bits anyway; as they are where gradients are wanted.
        """
        if not self.test_cfg['compact_features'] or torch.is_grad_enabled():
            return maps
        codes, ranges = zip(
            *(
                pack_maps(level)
                if level.itemsize > 2
                else (level, level.new_empty(*level.shape[:3], 0))
                for level in maps
            )
        )
        return [*codes, *ranges]

    @property
    def sees_clips(self) -> bool:
        """Whether the backbone looks at a clip's frames together."""
        return getattr(self.backbone, 'takes_clips', False)

    def extract_maps(self, frames: Tensor) -> List[Tensor]:
        """Run the backbone: four maps (B*T, c, H/s, W/s), s = 4, ..., 32."""
        if self.sees_clips:
            return list(self.backbone(frames))
        return list(self.backbone(frames.flatten(0, 1)))

    def make_level(
        self, features: Tensor, ranges: Optional[Tensor], mask: Tensor
    ) -> FeatureLevel:
        """Attach positions and padding to a level (B, T, c, h, w)."""
        size = features.shape[-2:]
        small = F.interpolate(mask[:, None].float(), size)[:, 0].bool()
        return FeatureLevel(
            features.flatten(0, 1),
            self.pixel_positions(small),
            small,
            ranges.flatten(0, 1)
            if ranges is not None and ranges.numel()
            else None,
        )

    # --------------------------------------------------------- the reference

    def refer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> List[ClipOutputs]:
        """Predict trajectories, one item a decoder layer."""
        tokens = references.only()
        memory, flat = self.encode(video, tokens)
        content = self.query_content(video, tokens)
        states, points = self.decode(memory, flat, content)
        mask_features = self.make_mask_features(memory, video, tokens)
        with full_precision(memory.device):
            return [
                self.predict_layer(
                    layer, states, points, mask_features.float(), video
                )
                for layer in self.predicting_layers()
            ]

    def query_content(
        self, video: VideoFeatures, tokens: ReferenceTokens
    ) -> Tensor:
        """What the queries of each frame start from, (B*T, C).

        The sentence, in all frames.
        """
        return per_frame(tokens.sentence, video.num_frames)

    def predicting_layers(self) -> range:
        """Decoder layers whose branches predict; the last one answers."""
        return range(self.decoder.num_layers)

    def state_of(self, layer: int) -> int:
        """The decoder layer whose states a layer's class and mask see."""
        return layer

    def predict_layer(
        self,
        layer: int,
        states: Tensor,
        references: List[Tensor],
        mask_features: Tensor,
        video: VideoFeatures,
    ) -> ClipOutputs:
        """What one decoder layer's branches say."""
        state = self.by_clip(states[self.state_of(layer)], video)
        queries = self.clip_queries(state)
        boxes, points = self.predict_boxes(layer, states[layer], references)
        return ClipOutputs(
            self.class_branches[layer](queries),
            self.by_clip(boxes, video),
            self.mask_head(
                queries,
                mask_features,
                self.by_clip(points, video),
                video.image_shapes,
            ),
        )

    def clip_queries(self, state: Tensor) -> Tensor:
        """What classes and masks are made of: (B, T, N, C), as it is."""
        return state

    def encode(
        self, video: VideoFeatures, tokens: ReferenceTokens
    ) -> Tuple[Tensor, Dict[str, Tensor]]:
        """Fuse with the words, then run the deformable encoder.

        Returns:
            Memory (B*T, S, C), S the pixels of all levels, and how the
            levels lie in it.
        """
        num_frames = video.num_frames
        pixels, positions, masks = [], [], []
        for index, level in enumerate(video.levels):
            x = rearrange(
                level.values(), '(b t) c h w -> b (t h w) c', t=num_frames
            )
            x = self.fusion(x, tokens)
            pixels.append(rearrange(x, 'b (t p) c -> (b t) p c', t=num_frames))
            place = level.positions.flatten(2).transpose(1, 2)
            positions.append(place + self.level_embedding[index])
            masks.append(level.padding_mask.flatten(1))
        flat = self.describe_levels(video)
        if video.is_padded:
            flat['key_padding_mask'] = per_frame(
                torch.cat(masks, 1), num_frames
            )
        memory = self.encoder(
            query=torch.cat(pixels, 1),
            query_pos=per_frame(torch.cat(positions, 1), num_frames),
            **flat,
        )
        return memory, flat

    def describe_levels(self, video: VideoFeatures) -> dict:
        """Say how the levels lie in the flattened memory."""
        masks = [level.padding_mask for level in video.levels]
        device = masks[0].device
        shapes = torch.tensor(
            [mask.shape[-2:] for mask in masks], device=device
        )
        sizes = shapes.prod(1)
        ratios = torch.stack([valid_ratio(mask) for mask in masks], 1)
        return dict(
            key_padding_mask=None,
            spatial_shapes=shapes,
            level_start_index=sizes.cumsum(0) - sizes,
            valid_ratios=per_frame(ratios, video.num_frames),
        )

    def decode(
        self,
        memory: Tensor,
        flat: Dict[str, Tensor],
        content: Tensor,
    ) -> Tuple[Tensor, List[Tensor]]:
        """Run the decoder.

        Args:
            memory: Of :meth:`encode`.
            flat: Of :meth:`encode`.
            content: (B*T, C), what every query of a frame starts from.

        Returns:
            States (layers, B*T, N, C), and reference points before the
            first and after each layer: (B*T, N, 2), then (B*T, N, 4).
        """
        position = self.query_embedding.weight  # (N, C)
        batch = len(memory)
        # Of a box in bfloat16 some pixels would be lost.
        with full_precision(memory.device):
            start = self.reference_points(position).sigmoid()
            states, refined = self.decoder(
                query=repeat(
                    content.float(), 'b c -> b n c', n=self.num_queries
                ),
                query_pos=position.expand(batch, -1, -1),
                value=memory.float(),
                reference_points=start.expand(batch, -1, -1),
                reg_branches=self.box_branches,
                **flat,
            )
        return states, [start.expand(batch, -1, -1), *refined]

    def predict_boxes(
        self, layer: int, state: Tensor, references: List[Tensor]
    ) -> Tuple[Tensor, Tensor]:
        """What a layer says of places.

        Returns:
            Boxes (B*T, N, 4), and the points from which masks are drawn
            (B*T, N, 2): the refined reference, which carries no gradient.
        """
        delta = self.box_branches[layer](state)
        reference = inverse_sigmoid(references[layer])
        if reference.shape[-1] == 2:
            reference = F.pad(reference, (0, 2))
        return (delta + reference).sigmoid(), references[layer + 1][..., :2]

    def make_mask_features(
        self, memory: Tensor, video: VideoFeatures, tokens: ReferenceTokens
    ) -> Tensor:
        """Run the cross-modal FPN; (B*T, C, H/4, W/4)."""
        levels = self.pyramid_levels(memory, video)
        return self.fpn(levels, tokens, video.is_padded)

    def pyramid_levels(
        self, memory: Tensor, video: VideoFeatures
    ) -> List[FeatureLevel]:
        """Strides 4 to 32: the backbone's finest level, then the memory."""
        levels = [video.high_resolution]
        start = 0
        for level in video.levels[:3]:
            height, width = level.features.shape[-2:]
            part = memory[:, start : start + height * width]
            start += height * width
            levels.append(
                FeatureLevel(
                    rearrange(part, 'n (h w) c -> n c h w', h=height),
                    level.positions,
                    level.padding_mask,
                )
            )
        return levels

    def keep(self, level: FeatureLevel) -> FeatureLevel:
        """How a level of the pyramid waits until it is drawn from."""
        if self.test_cfg['compact_features'] and not torch.is_grad_enabled():
            level = level.packed()
        return level.moved(self.waiting_device(level.positions.device))

    @staticmethod
    def by_clip(x: Tensor, video: VideoFeatures) -> Tensor:
        """(B*T, ...) -> (B, T, ...)."""
        return x.unflatten(0, (-1, video.num_frames))

    # ------------------------------------------------- training and answering

    def loss(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> Dict[str, Tensor]:
        """Losses of B clips with one reference each."""
        if self.set_loss is None:
            raise ValueError('the model was built without a loss')
        layers = self._forward(inputs, data_samples)
        with full_precision(inputs.device):
            return self.set_loss(
                layers, data_samples, tuple(inputs.shape[-2:])
            )

    def answer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> Answer:
        """Pick the query with the best mean score (Section 3.5).

        Only its mask is drawn unless ``test_cfg.keep_candidates``. Encoder,
        decoder, pyramid and masks see each frame alone and take some at a
        time; only where the pyramid's pixels look at each other are all
        frames needed, shrunk.
        """
        tokens = references.only()
        parts = video.split(self.frames_at_once(video.num_frames))
        layer = self.predicting_layers()[-1]
        content = self.query_content(video, tokens)
        waiting, states, boxes, small = [], [], [], []
        for part, own in zip(
            parts, content.split([p.num_frames for p in parts])
        ):
            memory, flat = self.encode(part, tokens)
            state, points = self.decode(memory, flat, own)
            states.append(state[self.state_of(layer)])
            # The layer's boxes; from their centres masks are drawn.
            boxes.append(points[layer + 1])
            levels = self.pyramid_levels(memory, part)
            small.append(self.fpn.shrink(self.fpn.project(levels), levels))
            waiting.append([self.keep(level) for level in levels])
        box = torch.cat(boxes)  # (T, N, 4)
        with full_precision(box.device):
            queries = self.clip_queries(torch.cat(states)[None])[0]
            scores = self.class_branches[layer](queries).sigmoid()
        scores = scores.amax(-1)  # (T, N); the likeliest class
        best = int(scores.mean(0).argmax())
        keeps_all = self.test_cfg['keep_candidates']
        chosen = list(range(self.num_queries)) if keeps_all else [best]
        seen = self.fpn.look_around(small, levels, video.is_padded)
        drawn = []
        start = 0
        for part in parts:
            levels = waiting.pop(0)
            frames = slice(start, start + part.num_frames)
            start = frames.stop
            fused = self.fpn.fuse(
                self.fpn.project(levels),
                levels,
                tokens,
                [x[:, frames] for x in seen],
            )
            # Places count in hundreds of pixels.
            with full_precision(fused.device):
                masks = self.mask_head(
                    queries[None, frames, chosen],
                    fused.float(),
                    box[None, frames, chosen, :2],
                    video.image_shapes,
                    self.fpn.mask_features,
                )
            drawn.append(masks[0])
        masks = torch.cat(drawn)  # (T, len(chosen), h, w)
        answers = [
            Answer(
                masks=masks[:, place],
                scores=scores[:, query],
                bboxes=box[:, query],
            )
            for place, query in enumerate(chosen)
        ]
        if not keeps_all:
            return answers[0]
        return replace(answers[best], candidates=answers)


def init_branches(class_branch: Any, box_branch: Any, layer: int) -> None:
    """Start a decoder layer's branches: not referred, box where it was."""
    # The probability of "referred" starts at 0.01 (focal loss).
    nn.init.constant_(class_branch.bias, -math.log(99))
    last = box_branch.layers[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    if layer == 0:
        nn.init.constant_(last.bias[2:], -2.0)


def valid_ratio(padding_mask: Tensor) -> Tensor:
    """Share of a level that is frame: (B, h, w) bool -> (B, 2) as w, h."""
    valid = ~padding_mask
    height, width = padding_mask.shape[-2:]
    return torch.stack(
        (valid[:, 0].sum(1) / width, valid[:, :, 0].sum(1) / height), -1
    )
