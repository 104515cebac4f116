"""Build a model with random weights and made-up references, to measure it."""

from collections.abc import Sequence
from typing import Any, Dict

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from ..apis.inferencer import choose_device
from ..engine import check_config
from ..engine.cli import load_config, merge_options
from ..errors import InputError
from ..io.log_mel import BANDS, FRAMES
from ..structures import EncodedReferences, ReferenceTokens

# Modalities for which references can be made up.
MADE_UP = ('text', 'sound')


def build_model(
    config: str, options: Dict[str, Any], device: str
) -> nn.Module:
    """Build the model of a config, for evaluation, with random weights.

    Args:
        config: Path of the config.
        options: Changes to it: dotted names and values.
        device: Such as ``cuda:0``.

    Raises:
        InputError: The config or an option is wrong, or no references can
            be made up for the model.
    """
    cfg: Config = load_config(config)
    check_config(cfg, config)
    merge_options(cfg, options, '--cfg-options')
    check_config(cfg, '--cfg-options')
    if 'model' not in cfg:
        raise InputError.of(config, 'model', 'missing', 'a model')
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model)
    if not set(getattr(model, 'modalities', ())) & set(MADE_UP):
        raise InputError.of(
            config,
            'model.text_encoder',
            cfg.model.get('text_encoder'),
            'an encoder of text references, or a sound_encoder',
        )
    return model.eval().to(choose_device(device))


class MadeUpReferences:
    """Encode made-up references, in place of ``encode_references``.

    Texts are token ids, because published tokenizers would be downloaded;
    sounds are noise. A model that takes one modality at a time gets the first
    of its modalities, other models get all.

    Args:
        model: A segmentor.
        words: Number of tokens per text.
        seconds: Length of a sound in seconds.
    """

    def __init__(self, model: Any, words: int, seconds: int) -> None:
        encoders = {
            name: encoder
            for name, encoder in model.reference_encoders.items()
            if name in MADE_UP
        }
        if not model.combines_modalities:
            encoders = dict(list(encoders.items())[:1])
        self.encoders: Dict[str, Any] = encoders
        self.words = words
        self.seconds = seconds

    def __call__(self, references: Sequence[Any]) -> EncodedReferences:
        count = len(references)
        return EncodedReferences(
            {
                name: self.encode_text(encoder, count)
                if name == 'text'
                else self.encode_sound(encoder, count)
                for name, encoder in self.encoders.items()
            }
        )

    def encode_text(self, encoder: Any, count: int) -> ReferenceTokens:
        device = next(encoder.parameters()).device
        # Any token that is not padding.
        ids = torch.full((count, self.words), 5, device=device)
        return encoder.encode_tokens(ids, ids == -1)

    def encode_sound(self, encoder: Any, count: int) -> ReferenceTokens:
        device = next(encoder.parameters()).device
        shape = (count * self.seconds, 1, FRAMES, BANDS)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return encoder.encode_examples(
            noise.to(device), [self.seconds] * count
        )

    @property
    def what(self) -> str:
        """Describe a reference, such as '10 tokens'."""
        sizes = {
            'text': f'{self.words} tokens',
            'sound': f'{self.seconds} s of sound',
        }
        return ' and '.join(sizes[name] for name in self.encoders)
