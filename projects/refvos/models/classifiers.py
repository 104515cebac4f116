"""Classifiers that pre-train a backbone or a sound encoder."""

from typing import Any, Dict, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn


@MODELS.register_module()
class BackboneClassifier(BaseModel):
    """Backbone with a linear classifier of every pixel of its levels.

    A segmentor that starts from its checkpoint (``--load-from`` with
    ``--allow-missing``) loads the backbone, as the models of the papers start
    from ImageNet. Labels are per pixel, because words are later compared with
    single pixels.

    Args:
        backbone: Config of the backbone, as in the segmentor.
        in_channels: Channels of the classified levels, which are the last
            ones of the backbone.
        num_classes: Number of categories; background is the class after
            them.
        background_weight: Weight of background pixels in the loss.
        data_preprocessor: Config of mmengine's ``ImgDataPreprocessor``.
        init_cfg: Config of mmengine's initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        in_channels: Sequence[int],
        num_classes: int,
        background_weight: float = 0.2,
        data_preprocessor: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.num_classes = num_classes
        self.backbone = MODELS.build(backbone)
        self.heads = nn.ModuleList(
            nn.Conv2d(channels, num_classes + 1, 1) for channels in in_channels
        )
        weight = torch.ones(num_classes + 1)
        weight[-1] = background_weight
        self.register_buffer('class_weight', weight, persistent=False)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Any = None,
        labels: Optional[Tensor] = None,
        mode: str = 'tensor',
    ) -> Union[Dict[str, Tensor], Any]:
        """Classify the pixels of frames.

        Args:
            inputs: (B, 3, H, W), normalised.
            data_samples: Not used; mmengine's preprocessor adds it.
            labels: (B, H, W) indices; ``num_classes`` is background.
            mode: 'loss', 'predict' ((B, h, w), from the first level) or
                'tensor' (logits per level, (B, K + 1, h, w)).
        """
        maps = self.backbone(inputs)[-len(self.heads) :]
        logits = [head(features) for head, features in zip(self.heads, maps)]
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            return logits[0].argmax(1)
        if labels is None:
            raise ValueError('labels is None; the loss needs them')
        results: Dict[str, Tensor] = {}
        for index, level in enumerate(logits):
            # Labels at the centres of the level's pixels.
            stride = inputs.shape[-1] // level.shape[-1]
            target = labels[:, stride // 2 :: stride, stride // 2 :: stride]
            results[f'loss_{index}'] = F.cross_entropy(
                level, target, self.class_weight
            )
            correct = (level.argmax(1) == target)[target < self.num_classes]
            # A coarse level may have no object pixel.
            if len(correct):
                results[f'accuracy_{index}'] = correct.float().mean()
        return results


@MODELS.register_module()
class SoundClassifier(BaseModel):
    """Sound encoder with a linear classifier of its tokens.

    A segmentor that starts from its checkpoint (``--load-from`` with
    ``--allow-missing``) loads the sound encoder, as the models of the papers
    start from VGGish trained on AudioSet. Without it the tokens of all sounds
    are nearly the same at the start, and a small segmentor may not learn to
    distinguish them.

    Args:
        sound_encoder: Config of the sound encoder, as in the segmentor.
        num_classes: Number of categories.
        data_preprocessor: Config of mmengine's data preprocessor.
        init_cfg: Config of mmengine's initialisation.
    """

    def __init__(
        self,
        sound_encoder: dict,
        num_classes: int,
        data_preprocessor: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        encoder: Any = MODELS.build(sound_encoder)
        self.sound_encoder = encoder
        self.head = nn.Linear(encoder.embed_dims, num_classes)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Any = None,
        labels: Optional[Tensor] = None,
        mode: str = 'tensor',
    ) -> Union[Dict[str, Tensor], Any]:
        """Classify sounds.

        Args:
            inputs: (B, seconds, 1, 96, 64) log-mel examples.
            data_samples: Not used; mmengine's preprocessor adds it.
            labels: (B,) indices.
            mode: 'loss', 'predict' ((B,), from the mean over tokens) or
                'tensor' (logits per token, (B, L, K)).
        """
        batch, seconds = inputs.shape[:2]
        tokens = self.sound_encoder.encode_examples(
            inputs.flatten(0, 1), [seconds] * batch
        ).tokens
        logits = self.head(tokens)
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            return logits.mean(1).argmax(1)
        if labels is None:
            raise ValueError('labels is None; the loss needs them')
        target = labels[:, None].expand(logits.shape[:2])
        correct = logits.argmax(-1) == target
        return {
            'loss': F.cross_entropy(logits.flatten(0, 1), target.flatten()),
            'accuracy': correct.float().mean(),
        }
