"""Base class of the segmentors that work on a feature pyramid."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from einops import rearrange
from mmcv.cnn import ConvModule
from mmdet.models.layers import SinePositionalEncoding
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...structures import (
    FeatureLevel,
    VideoFeatures,
    pack_maps,
    padding_mask_of,
)
from ..layers.frames import gather_parts, per_frame, take_frames
from .base import BaseReferringSegmentor, TargetFrames


class PyramidSegmentor(BaseReferringSegmentor):
    """Encode a video as a pyramid of projected feature maps.

    frames -> backbone -> input projections            (``encode_video``)

    Without gradients, frames are encoded a few at a time and their features
    are kept in 16 bits until they are used. Subclasses define the methods
    that depend on the reference, see :class:`BaseReferringSegmentor`.

    Args:
        backbone: Config of a backbone with four levels, strides 4 to 32.
        in_channels: Channels of the backbone's levels, finest first.
        embed_dims: C, channels of the projected levels.
        num_levels: Projected levels, strides 8, 16, 32, ...
        data_preprocessor: Config of :class:`RefDataPreprocessor`.
        test_cfg: See :class:`BaseReferringSegmentor`.
        init_cfg: Config of mmengine's initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        in_channels: Sequence[int] = (256, 512, 1024, 2048),
        embed_dims: int = 256,
        num_levels: int = 4,
        data_preprocessor: Optional[dict] = None,
        test_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor, test_cfg, init_cfg)
        self.embed_dims = embed_dims
        self.backbone = MODELS.build(backbone)
        self.input_projections = build_projections(
            in_channels, embed_dims, num_levels
        )
        self.pixel_positions = SinePositionalEncoding(
            embed_dims // 2, normalize=True, offset=-0.5
        )

    def init_weights(self) -> None:
        super().init_weights()
        for module in self.input_projections.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def encode_video(
        self,
        frames: Tensor,
        image_shapes: List[Tuple[int, int]],
        target_frames: TargetFrames = None,
    ) -> VideoFeatures:
        """Run backbone and input projections.

        Args:
            frames: (B, T, 3, H, W), normalised and padded.
            image_shapes: (h, w) of each clip without padding.
            target_frames: Indices of the target frames of each clip, the
                same number in every clip; None for all frames. Only these
                are encoded after the backbone.
        """
        padded_shape = (frames.shape[-2], frames.shape[-1])
        if target_frames is not None and not self.takes_clips:
            frames = take_frames(frames, target_frames)
            target_frames = None
        # A backbone that processes clips gets all frames; the target frames
        # are selected from its output.
        at_once = self.frames_at_once(frames.shape[1])
        parts = [frames] if self.takes_clips else frames.split(at_once, dim=1)
        packed = gather_parts(
            (self.pack(self.project(x, target_frames)) for x in parts),
            frames.shape[1]
            if target_frames is None
            else len(target_frames[0]),
            self.storage_device(frames.device),
        )
        mask = padding_mask_of(image_shapes, padded_shape, frames.device)
        finest, *levels = (
            self.make_level(maps, ranges, mask)
            for maps, ranges in zip(packed[::2], packed[1::2])
        )
        return VideoFeatures(
            num_frames=packed[0].shape[1],
            image_shapes=image_shapes,
            padded_shape=padded_shape,
            high_resolution=finest,
            levels=levels,
        )

    def project(
        self, frames: Tensor, target_frames: TargetFrames = None
    ) -> List[Tensor]:
        """Run backbone and input projections on a part of the frames.

        Args:
            frames: (B, T, 3, H, W), as in :meth:`encode_video`.
            target_frames: Frames of each clip that are projected; None for
                all.

        Returns:
            A tensor (B, A, c, h, w) per level, A the number of target
            frames: the finest level as the backbone returns it, then the
            projected ones.
        """
        if frames.dtype == torch.uint8:
            frames = self.data_preprocessor.normalize(frames)
        maps = self.extract_maps(frames)
        if target_frames is not None:
            maps = [
                take_frames(
                    level.unflatten(0, frames.shape[:2]), target_frames
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

    @property
    def takes_clips(self) -> bool:
        """Whether the backbone processes the frames of a clip together."""
        return getattr(self.backbone, 'takes_clips', False)

    def extract_maps(self, frames: Tensor) -> List[Tensor]:
        """Run the backbone: four maps (B*T, c, H/s, W/s), s = 4, ..., 32."""
        if self.takes_clips:
            return list(self.backbone(frames))
        return list(self.backbone(frames.flatten(0, 1)))

    # ------------------------------------------------------ storing features

    @property
    def packs(self) -> bool:
        """Whether features are stored in 16 bits; never with gradients."""
        return self.test_cfg.compact_features and not torch.is_grad_enabled()

    def pack(self, maps: List[Tensor]) -> List[Tensor]:
        """Pack the feature maps of a video if ``packs`` is True.

        Args:
            maps: The result of :meth:`project`.

        Returns:
            Maps and ranges in turn, two tensors per level. The ranges are
            empty for maps that are not packed: with gradients, and if they
            have 16 bits already.
        """
        pairs = [
            pack_maps(level)
            if self.packs and level.itemsize > 2
            else (level, level.new_empty(*level.shape[:3], 0))
            for level in maps
        ]
        return [x for pair in pairs for x in pair]

    def store(self, level: FeatureLevel) -> FeatureLevel:
        """Pack a level and move it to the device that keeps features."""
        if self.packs:
            level = level.packed()
        return level.moved(self.storage_device(level.positions.device))

    # ---------------------------------------------------------------- levels

    def make_level(
        self, features: Tensor, ranges: Tensor, mask: Tensor
    ) -> FeatureLevel:
        """Attach positions and padding mask to a level.

        Args:
            features: (B, T, c, h, w), packed or not.
            ranges: (B, T, c, 2) ranges of packed features, or empty.
            mask: (B, H, W) bool, True where the batch is padded.
        """
        size = features.shape[-2:]
        small = F.interpolate(mask[:, None].float(), size)[:, 0].bool()
        return FeatureLevel(
            features.flatten(0, 1),
            self.pixel_positions(small),
            small,
            ranges.flatten(0, 1) if ranges.numel() else None,
        )

    def describe_levels(self, video: VideoFeatures) -> Dict[str, Any]:
        """Describe the layout of the projected levels in one flat memory.

        Returns:
            Arguments of mmdet's deformable encoder and decoder; without
            padding the ``key_padding_mask`` is None.
        """
        masks = [level.padding_mask for level in video.levels]
        shapes = torch.tensor(
            [mask.shape[-2:] for mask in masks], device=masks[0].device
        )
        sizes = shapes.prod(1)
        ratios = torch.stack([valid_ratio(mask) for mask in masks], 1)
        padding = None
        if video.is_padded:
            padding = torch.cat([mask.flatten(1) for mask in masks], 1)
            padding = per_frame(padding, video.num_frames)
        return dict(
            key_padding_mask=padding,
            spatial_shapes=shapes,
            level_start_index=sizes.cumsum(0) - sizes,
            valid_ratios=per_frame(ratios, video.num_frames),
        )

    def pyramid_levels(
        self, memory: Tensor, video: VideoFeatures
    ) -> List[FeatureLevel]:
        """Split a memory (B*T, S, C) into the levels of the mask pyramid.

        Returns:
            Strides 4 to 32: the finest level of the backbone, then those of
            the memory.
        """
        return [video.high_resolution, *self.memory_levels(memory, video)[:3]]

    def memory_levels(
        self, memory: Tensor, video: VideoFeatures
    ) -> List[FeatureLevel]:
        """Cut a memory (B*T, S, C) into the projected levels."""
        levels = []
        start = 0
        for level in video.levels:
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

    @staticmethod
    def by_clip(x: Tensor, video: VideoFeatures) -> Tensor:
        """Split frames by clip: (B*T, ...) -> (B, T, ...)."""
        return x.unflatten(0, (-1, video.num_frames))


def build_projections(
    in_channels: Sequence[int], embed_dims: int, num_levels: int
) -> nn.ModuleList:
    """Build the input projections.

    Args:
        in_channels: Channels of the backbone's levels, finest first.
        embed_dims: Output channels.
        num_levels: Projected levels: 1x1 convolutions of strides 8 to 32,
            then 3x3 convolutions with stride 2.
    """
    norm = dict(type='GN', num_groups=32)
    projections = [
        ConvModule(
            channels, embed_dims, 1, bias=True, norm_cfg=norm, act_cfg=None
        )
        for channels in in_channels[1:]
    ]
    channels = in_channels[-1]
    while len(projections) < num_levels:
        projections.append(
            ConvModule(
                channels,
                embed_dims,
                3,
                stride=2,
                padding=1,
                bias=True,
                norm_cfg=norm,
                act_cfg=None,
            )
        )
        channels = embed_dims
    return nn.ModuleList(projections)


def build_optional(config: Optional[dict], **defaults: Any) -> Any:
    """Build a module from its config; return None for None."""
    if config is None:
        return None
    return MODELS.build({**defaults, **config})


def xavier_matrices(*modules: nn.Module) -> None:
    """Initialise all parameters that have more than one dimension."""
    for module in modules:
        for parameter in module.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)


def valid_ratio(padding_mask: Tensor) -> Tensor:
    """Return the share of a level without padding, (B, 2) as w, h.

    Args:
        padding_mask: (B, h, w) bool, True where a level is padded.
    """
    valid = ~padding_mask
    height, width = padding_mask.shape[-2:]
    return torch.stack(
        (valid[:, 0].sum(1) / width, valid[:, :, 0].sum(1) / height), -1
    )
