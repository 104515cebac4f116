"""Masks by dynamic convolution (ReferFormer, Section 3.2, Appendix C)."""

from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmdet.models.layers import MLP
from torch import Tensor, nn


class DynamicMaskHead(nn.Module):
    """Predict the mask of each query with its own 1x1 convolutions.

    The input of the first convolution is the mask features and the position
    of the pixel relative to the reference point of the query. It is linear,
    so its two parts are computed separately: no feature map is repeated N
    times.

    Args:
        embed_dims: C, channels of queries and mask features.
        channels: Hidden channels of the dynamic convolutions.
        num_layers: Number of dynamic convolutions.
        stride: Input pixels per mask pixel.
        relative_coordinates: False leaves the relative position out (Table 4,
            "w/o Relative Coordinates").
        controller_layers: Linear layers that make the convolutions of a
            query.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        channels: int = 8,
        num_layers: int = 3,
        stride: int = 4,
        relative_coordinates: bool = True,
        controller_layers: int = 3,
    ) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.stride = stride
        self.num_coordinates = 2 if relative_coordinates else 0
        inputs = [embed_dims + self.num_coordinates]
        inputs += [channels] * (num_layers - 1)
        outputs = [channels] * (num_layers - 1) + [1]
        self.weight_shapes: List[Tuple[int, int]] = list(zip(outputs, inputs))
        num_parameters = sum(o * i + o for o, i in self.weight_shapes)
        self.controller = MLP(
            embed_dims, embed_dims, num_parameters, controller_layers
        )

    def init_weights(self) -> None:
        """Set Xavier weights and zero biases, as in the published code."""
        for layer in self.controller.layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        queries: Tensor,
        mask_features: Tensor,
        reference_points: Tensor,
        image_shapes: Sequence[Tuple[int, int]],
        conv: Optional[nn.Conv2d] = None,
    ) -> Tensor:
        """Draw the masks of N queries in every frame.

        Args:
            queries: (B, T, N, C).
            mask_features: (B*T, C, h, w).
            reference_points: (B, T, N, 2), x and y in 0..1 of the frame.
            image_shapes: (height, width) of each clip's frames, without
                padding; reference points are relative to them.
            conv: Convolution that is still to be applied to
                ``mask_features``. It is merged into the first dynamic
                convolution, which has the same result and is faster for few
                queries.

        Returns:
            (B, T, N, h, w) mask logits.
        """
        height, width = mask_features.shape[-2:]
        weights, biases = self.split(self.controller(queries.flatten(0, 1)))
        features, positions = weights[0].split(
            [self.embed_dims, self.num_coordinates], dim=-1
        )
        if conv is None:
            # (B*T, N*8, C) @ (B*T, C, h*w)
            x = features.flatten(1, 2) @ mask_features.flatten(2)
            x = x.unflatten(-1, (height, width))
        else:
            x = merged_convolution(features.flatten(1, 2), conv, mask_features)
        x = x.unflatten(1, features.shape[1:3])  # (B*T, N, 8, h, w)
        x = x + biases[0][..., None, None]
        if self.num_coordinates:
            offset_x, offset_y = self.relative_positions(
                reference_points, image_shapes, height, width
            )
            # The weights of x and y times (B*T, N, 1, w) and (B*T, N, 1, h).
            x = x + (positions[..., 0:1] * offset_x[:, :, None])[..., None, :]
            x = x + (positions[..., 1:2] * offset_y[:, :, None])[..., :, None]
        x = x.flatten(-2)  # (B*T, N, 8, h*w)
        for weight, bias in zip(weights[1:], biases[1:]):
            x = weight @ x.relu() + bias[..., None]
        return x.view(*queries.shape[:3], height, width)

    def split(self, parameters: Tensor) -> Tuple[List[Tensor], List[Tensor]]:
        """Split (B*T, N, P) into weights and biases, all weights first."""
        sizes = [o * i for o, i in self.weight_shapes]
        sizes += [o for o, _ in self.weight_shapes]
        parts = parameters.split(sizes, dim=-1)
        num_layers = len(self.weight_shapes)
        weights = [
            part.unflatten(-1, shape)
            for part, shape in zip(parts, self.weight_shapes)
        ]
        return weights, list(parts[num_layers:])

    def relative_positions(
        self,
        reference_points: Tensor,
        image_shapes: Sequence[Tuple[int, int]],
        height: int,
        width: int,
    ) -> Tuple[Tensor, Tensor]:
        """Return reference point minus pixel centre, in input pixels.

        Returns:
            (B*T, N, w) along x and (B*T, N, h) along y: the offset is the
            same in all rows (columns).
        """
        scale = reference_points.new_tensor([(w, h) for h, w in image_shapes])
        points = (reference_points * scale[:, None, None]).flatten(0, 1)
        half = self.stride // 2
        across = torch.arange(width, device=points.device) * self.stride + half
        down = torch.arange(height, device=points.device) * self.stride + half
        return points[..., 0:1] - across, points[..., 1:2] - down


def merged_convolution(
    weights: Tensor, conv: nn.Conv2d, maps: Tensor
) -> Tensor:
    """Merge a convolution and a matrix per frame into one convolution.

    Args:
        weights: (F, O, C), matrix of each frame.
        conv: Convolution with C output channels, applied first.
        maps: (F, I, h, w).

    Returns:
        (F, O, h, w).
    """
    kernels = weights @ conv.weight.flatten(1)  # (F, O, I*k*k)
    assert conv.bias is not None
    biases = weights @ conv.bias
    return torch.cat(
        [
            F.conv2d(
                frame[None],
                kernel.view(-1, *conv.weight.shape[1:]),
                bias,
                conv.stride,
                conv.padding,
            )
            for frame, kernel, bias in zip(maps, kernels, biases)
        ]
    )
