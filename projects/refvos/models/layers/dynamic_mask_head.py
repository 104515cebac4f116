"""Masks by dynamic convolution (ReferFormer, Section 3.2, Appendix C)."""

from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmdet.models.layers import MLP
from torch import Tensor, nn


class DynamicMaskHead(nn.Module):
    """Each query becomes three 1x1 convolutions that draw its mask.

    The first convolution sees the mask features and the pixel's place
    relative to the query's reference point. It is linear, so its two parts
    are computed apart: no feature map is repeated N times.

    Args:
        embed_dims: C, channels of queries and mask features.
        channels: Channels between the dynamic convolutions.
        num_layers: Number of dynamic convolutions.
        stride: Input pixels per mask pixel.
        relative_coordinates: False leaves the relative place out (Table 4,
            "w/o Relative Coordinates").
    """

    def __init__(
        self,
        embed_dims: int = 256,
        channels: int = 8,
        num_layers: int = 3,
        stride: int = 4,
        relative_coordinates: bool = True,
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
        self.controller = MLP(embed_dims, embed_dims, num_parameters, 3)

    def init_weights(self) -> None:
        """Xavier weights and zero biases, as in the published code."""
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
            conv: A convolution that has yet to be applied to
                ``mask_features``. It is merged into the first dynamic
                convolution: the same result for less work, where there are
                few queries.

        Returns:
            (B, T, N, h, w) mask logits.
        """
        height, width = mask_features.shape[-2:]
        weights, biases = self.split(self.controller(queries.flatten(0, 1)))
        features, places = weights[0].split(
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
            away_x, away_y = self.relative_places(
                reference_points, image_shapes, height, width
            )
            # The weights of x and y times (B*T, N, 1, w) and (B*T, N, 1, h).
            x = x + (places[..., 0:1] * away_x[:, :, None])[..., None, :]
            x = x + (places[..., 1:2] * away_y[:, :, None])[..., :, None]
        x = x.flatten(-2)  # (B*T, N, 8, h*w)
        for weight, bias in zip(weights[1:], biases[1:]):
            x = weight @ x.relu() + bias[..., None]
        return x.view(*queries.shape[:3], height, width)

    def split(self, parameters: Tensor) -> Tuple[List[Tensor], List[Tensor]]:
        """Cut (B*T, N, P) into weights and biases: all weights come first."""
        sizes = [o * i for o, i in self.weight_shapes]
        sizes += [o for o, _ in self.weight_shapes]
        parts = parameters.split(sizes, dim=-1)
        num_layers = len(self.weight_shapes)
        weights = [
            part.unflatten(-1, shape)
            for part, shape in zip(parts, self.weight_shapes)
        ]
        return weights, list(parts[num_layers:])

    def relative_places(
        self,
        reference_points: Tensor,
        image_shapes: Sequence[Tuple[int, int]],
        height: int,
        width: int,
    ) -> Tuple[Tensor, Tensor]:
        """Reference minus pixel centre, in input pixels.

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
    """Convolve, then multiply by a matrix of each frame's, in one step.

    Args:
        weights: (F, O, C).
        conv: A convolution with C output channels.
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
