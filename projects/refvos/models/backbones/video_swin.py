"""Video Swin Transformer on whole clips."""

from typing import Any, Iterable, List, MutableMapping, Optional, Sequence

import torch
from einops import rearrange
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.models.video import SwinTransformer3d

from .blocks import FreezableStages, run_block
from .position_bias import fit_position_biases, keep_indices_out_of_checkpoints
from .window_attention import run_block_in_parts

PATCH = 'patch_embed.proj.weight'


@MODELS.register_module()
class VideoSwinTransformer(FreezableStages, BaseModule):
    """torchvision's Video Swin Transformer as a backbone with four levels.

    Its patches are 1x4x4: time is never down-sampled. A window covers
    ``window_size`` frames and cells of a level, or all of them where there
    are fewer. Weights have torchvision's names, and its Kinetics checkpoints
    load unchanged: a 2x4x4 patch is summed over time (see
    :func:`sum_patch_over_time`) and position biases trained at another
    window size are resized (see :func:`resize_bias_table`).

    As with :class:`FrameSwinTransformer`, windows include the zeros that pad
    a clip in a batch with a larger one. In a batch of clips of one size the
    features of a clip are those of the clip alone.

    Args:
        embed_dims: C, channels of the finest level.
        depths: Blocks of each stage.
        num_heads: Attention heads of each stage.
        window_size: Frames, height and width of a window.
        mlp_ratio: Hidden channels of a block's feed-forward network / C.
        drop_rate: Dropout of the activations.
        attn_drop_rate: Dropout of the attention weights.
        drop_path_rate: Stochastic depth of the last block, rising from 0 at
            the first.
        frozen_stages: -1 trains all; 0 freezes the patch embedding; n also
            the first n stages.
        with_cp: Recompute the blocks in the backward pass instead of
            keeping their activations.
        init_cfg: Config of mmengine's initialisation.

    Example:
        >>> backbone = VideoSwinTransformer(
        ...     embed_dims=12, depths=(1, 1, 1, 1), num_heads=(1, 2, 3, 4)
        ... )
        >>> clips = torch.ones(1, 5, 3, 90, 64)
        >>> [tuple(level.shape) for level in backbone(clips)]
        [(5, 12, 23, 16), (5, 24, 12, 8), (5, 48, 6, 4), (5, 96, 3, 2)]
    """

    # Takes (B, T, 3, H, W) instead of (B*T, 3, H, W).
    takes_clips = True

    def __init__(
        self,
        embed_dims: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        window_size: Sequence[int] = (8, 7, 7),
        mlp_ratio: float = 4.0,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp
        classifier = SwinTransformer3d(
            patch_size=[1, 4, 4],
            embed_dim=embed_dims,
            depths=list(depths),
            num_heads=list(num_heads),
            window_size=list(window_size),
            mlp_ratio=mlp_ratio,
            dropout=drop_rate,
            attention_dropout=attn_drop_rate,
            stochastic_depth_prob=drop_path_rate,
            num_classes=1,
        )
        self.patch_embed = classifier.patch_embed
        self.pos_drop = classifier.pos_drop
        # Stages, with layers that merge 2x2 cells between them.
        self.features = classifier.features
        keep_indices_out_of_checkpoints(self)
        self.freeze_stages()

    def forward(self, clips: Tensor) -> List[Tensor]:
        """Compute the maps of all stages.

        Args:
            clips: (B, T, 3, H, W).

        Returns:
            Four maps (B*T, C * 2**i, H / s, W / s), s = 4, 8, 16, 32, sizes
            rounded up, clip by clip. They are not normalised, as in the
            published model.
        """
        # Attention is within windows, so without gradients the activations of
        # a long clip need no more memory than those of a short one.
        in_parts = not (self.training or torch.is_grad_enabled())
        x = self.patch_embed(clips.transpose(1, 2))  # (B, T, H/4, W/4, C)
        x = self.pos_drop(x)
        levels = []
        for index, part in enumerate(self.features):
            if index % 2:
                frames = x.split(1 if in_parts else x.shape[1], dim=1)
                x = torch.cat([part(each) for each in frames], 1)
                continue
            for block in part:
                if in_parts:
                    x = run_block_in_parts(block, x)
                else:
                    x = run_block(block, x, with_cp=self.with_cp)
            level = rearrange(x, 'b t h w c -> (b t) c h w')
            levels.append(level.contiguous())
        return levels

    def frozen_parts(self) -> Iterable[nn.Module]:
        stages = self.features[: 2 * self.frozen_stages]
        return (self.patch_embed, self.pos_drop, *stages)

    def _load_from_state_dict(
        self, state_dict: MutableMapping[str, Tensor], prefix: str, *args: Any
    ) -> None:
        patch = state_dict.get(prefix + PATCH)
        if patch is not None:
            state_dict[prefix + PATCH] = sum_patch_over_time(patch)
        fit_position_biases(state_dict, prefix, self)
        super()._load_from_state_dict(state_dict, prefix, *args)


def sum_patch_over_time(weight: Tensor) -> Tensor:
    """Convert a patch embedding of several frames to one of single frames.

    Video-Swin for Kinetics embeds patches of 2x4x4. With the sum over time a
    frame has the embedding that the original computes for that frame twice,
    so later layers receive values of the scale that they were trained on;
    the mean would halve them.

    Args:
        weight: (C, 3, t, 4, 4).

    Returns:
        (C, 3, 1, 4, 4).
    """
    return weight.sum(2, keepdim=True) if weight.dim() == 5 else weight
