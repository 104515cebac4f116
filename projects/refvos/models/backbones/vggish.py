"""VGGish, a sound network trained on AudioSet."""

from typing import List, Optional, Sequence

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

# Convolutions after which the map is halved, counted from 1.
HALVED = (1, 2, 4, 6)
# Pixels of an example's last map: 96 windows and 64 bands, each / 16.
LAST_MAP = 6 * 4
AT_ONCE = 32


@MODELS.register_module()
class VGGish(BaseModule):
    """VGG for log-mel spectra (Hershey et al. 2017), released with AudioSet.

    Six 3x3 convolutions and three linear layers, a ReLU after each, also
    after the last. The map is flattened in the order height, width, channel.
    Weights have the names of the published file (torchvggish), which loads
    unchanged. PCA and rounding to 8 bits, which that file may contain, are
    not part of the network, as in the models of AVSBench.

    Args:
        widths: Channels of the six convolutions.
        embedding_dims: Output channels of the three linear layers.
        frozen: Do not train the network, and keep no activations.
        init_cfg: Config of mmengine's initialisation, Kaiming by default; for
            published weights ``dict(type='Pretrained', checkpoint=...)``.

    Example:
        >>> network = VGGish(
        ...     widths=(4, 4, 8, 8, 8, 8), embedding_dims=(32, 32, 16)
        ... )
        >>> network(torch.zeros(5, 1, 96, 64)).shape
        torch.Size([5, 16])
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 256, 512, 512),
        embedding_dims: Sequence[int] = (4096, 4096, 128),
        frozen: bool = False,
        init_cfg: Optional[dict] = None,
    ) -> None:
        kaiming = dict(type='Kaiming', layer=['Conv2d', 'Linear'])
        # fan_in, because the linear layers have very different numbers of
        # inputs and outputs.
        super().__init__(init_cfg or dict(kaiming, mode='fan_in'))
        self.frozen = frozen
        self.embed_dims = embedding_dims[-1]
        layers: List[nn.Module] = []
        channels = 1
        for number, width in enumerate(widths, 1):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            if number in HALVED:
                layers.append(nn.MaxPool2d(2))
            channels = width
        self.features = nn.Sequential(*layers)
        layers = []
        channels *= LAST_MAP
        for width in embedding_dims:
            layers += [nn.Linear(channels, width), nn.ReLU()]
            channels = width
        self.embeddings = nn.Sequential(*layers)
        if frozen:
            self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> 'VGGish':
        return super().train(mode and not self.frozen)

    def forward(self, examples: Tensor) -> Tensor:
        """Embed log-mel examples.

        Args:
            examples: (N, 1, 96, 64), see :func:`vggish_log_mel`.

        Returns:
            (N, C), not negative, C the last of ``embedding_dims``.
        """
        if torch.is_grad_enabled() and not self.frozen:
            return self.embed(examples)
        # In parts: the maps of an hour of sound would take gigabytes.
        with torch.no_grad():
            parts = [self.embed(part) for part in examples.split(AT_ONCE)]
        return torch.cat(parts)

    def embed(self, examples: Tensor) -> Tensor:
        maps = self.features(examples)  # (N, C, 6, 4)
        return self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
