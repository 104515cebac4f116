"""Training a backbone to tell categories apart."""

from typing import Any, Dict, Optional, Sequence, Union

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn


@MODELS.register_module()
class BackboneClassifier(BaseModel):
    """A backbone and a linear classifier on each of its levels.

    A segmentor started from its checkpoint (``load_from``) takes over the
    backbone, as the papers' models start from ImageNet.

    Args:
        backbone: As in the segmentor.
        in_channels: Channels of the levels that get a classifier, those of
            the last ones of the backbone.
        num_classes: Number of categories.
        data_preprocessor: Of mmengine's ``ImgDataPreprocessor``.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        in_channels: Sequence[int],
        num_classes: int,
        data_preprocessor: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.heads = nn.ModuleList(
            nn.Linear(channels, num_classes) for channels in in_channels
        )

    def forward(
        self,
        inputs: Tensor,
        data_samples: Any = None,
        labels: Optional[Tensor] = None,
        mode: str = 'tensor',
    ) -> Union[Dict[str, Tensor], Any]:
        """Classify windows.

        Args:
            inputs: (B, 3, H, W), normalised.
            data_samples: Not used; mmengine's preprocessor adds it.
            labels: (B,) indices.
            mode: 'loss', 'predict' (B, of the last level) or 'tensor'
                (logits of each level, (B, K)).
        """
        maps = self.backbone(inputs)[-len(self.heads) :]
        logits = [
            head(features.mean((2, 3)))
            for head, features in zip(self.heads, maps)
        ]
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            return logits[-1].argmax(1)
        if labels is None:
            raise ValueError('labels is None; the loss needs them')
        results: Dict[str, Tensor] = {}
        for index, level in enumerate(logits):
            results[f'loss_{index}'] = F.cross_entropy(level, labels)
            right = (level.argmax(1) == labels).float().mean()
            results[f'accuracy_{index}'] = right
        return results
