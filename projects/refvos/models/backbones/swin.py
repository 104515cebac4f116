"""Swin Transformer on single frames."""

from typing import Any, MutableMapping

import torch
from mmdet.models.backbones import SwinTransformer
from mmdet.registry import MODELS
from torch import Tensor

from .position_bias import fit_position_biases, keep_indices_out_of_checkpoints


@MODELS.register_module()
class FrameSwinTransformer(SwinTransformer):
    """mmdet's Swin Transformer, which loads weights of any window size.

    Relative position biases trained at another window size are interpolated
    (bicubic), in a backbone's checkpoint as in a whole model's; see
    :func:`resize_bias_table`.

    Windows have no mask for the padding of a batch: in a batch with a larger
    clip, the windows at the border of a clip include the zeros of its
    padding (as in the published code, and as in a convolution), so its
    features differ slightly from those of the clip alone. In a batch of
    clips of one size they do not.

    Args:
        kwargs: Arguments of mmdet's ``SwinTransformer``. ``with_cp=True``
            recomputes the blocks in the backward pass instead of keeping
            their activations. ``convert_weights=True`` loads the official
            ImageNet checkpoints unchanged.

    Example:
        >>> backbone = FrameSwinTransformer(
        ...     embed_dims=12, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 4]
        ... )
        >>> [tuple(x.shape[1:]) for x in backbone(torch.ones(2, 3, 90, 64))]
        [(12, 23, 16), (24, 12, 8), (48, 6, 4), (96, 3, 2)]
    """

    def __init__(self, **kwargs: Any) -> None:
        # mmdet reads the rates of stochastic depth from a tensor, which has no
        # values on the meta device, where checkpoints are checked.
        with torch.device('cpu'):
            super().__init__(**kwargs)
        self.to(torch.empty(0).device)
        keep_indices_out_of_checkpoints(self)
        # mmdet freezes at the first `train()`, after
        # DistributedDataParallel has collected the trained parameters.
        self._freeze_stages()

    def train(self, mode: bool = True) -> 'FrameSwinTransformer':
        super().train(mode)
        return self

    def _load_from_state_dict(
        self, state_dict: MutableMapping[str, Tensor], prefix: str, *args: Any
    ) -> None:
        fit_position_biases(state_dict, prefix, self)
        super()._load_from_state_dict(state_dict, prefix, *args)
