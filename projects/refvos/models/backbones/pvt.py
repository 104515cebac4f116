"""Pyramid Vision Transformer v2 on single frames."""

from typing import Any, Iterable, List

import torch
from mmdet.models.backbones import PyramidVisionTransformerV2
from mmdet.models.layers.transformer import nlc_to_nchw
from mmdet.registry import MODELS
from torch import Tensor, nn

from .blocks import FreezableStages, run_block


@MODELS.register_module()
class FramePyramidVisionTransformerV2(
    FreezableStages, PyramidVisionTransformerV2
):
    """mmdet's PVTv2 with stages that can be frozen.

    The keys of the finest level are its map down-sampled by 8, so frames
    must be at least 29 pixels high and wide.

    Args:
        frozen_stages: -1 trains all; 0 freezes the first patch embedding; n
            the first n stages.
        with_cp: Recompute the blocks in the backward pass instead of
            keeping their activations.
        kwargs: Arguments of mmdet's ``PyramidVisionTransformerV2``, which
            loads the official ImageNet checkpoints unchanged.

    Example:
        >>> backbone = FramePyramidVisionTransformerV2(
        ...     embed_dims=8, num_layers=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]
        ... )
        >>> [tuple(x.shape[1:]) for x in backbone(torch.ones(2, 3, 90, 64))]
        [(8, 23, 16), (16, 12, 8), (32, 6, 4), (64, 3, 2)]
    """

    # mmdet's attribute; each layer is (embedding, blocks, norm).
    layers: Any

    def __init__(
        self, frozen_stages: int = -1, with_cp: bool = False, **kwargs: Any
    ) -> None:
        # mmdet reads the rates of stochastic depth from a tensor, which has no
        # values on the meta device, where checkpoints are checked.
        with torch.device('cpu'):
            super().__init__(**kwargs)
        self.to(torch.empty(0).device)
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp
        self.freeze_stages()

    def forward(self, frames: Tensor) -> List[Tensor]:
        """Compute the maps of all stages.

        Args:
            frames: (B*T, 3, H, W).

        Returns:
            Four normalised maps (B*T, c, H / s, W / s), s = 4, 8, 16, 32,
            sizes rounded up.
        """
        x = frames
        levels = []
        for embed, blocks, norm in self.layers:
            tokens, shape = embed(x)  # (B*T, h*w, c)
            for block in blocks:
                tokens = run_block(block, tokens, shape, with_cp=self.with_cp)
            x = nlc_to_nchw(norm(tokens), shape)
            levels.append(x)
        return levels

    def frozen_parts(self) -> Iterable[nn.Module]:
        return (self.layers[0][0], *self.layers[: self.frozen_stages])
