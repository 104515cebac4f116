"""Encoder of sound references: one token per second of a soundtrack."""

from typing import List, Optional, Tuple

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ...errors import InputError
from ...io.log_mel import BANDS, FRAMES, examples_per_second
from ...structures import Reference, ReferenceTokens
from ..layers import sine_positions_1d


@MODELS.register_module()
class SoundEncoder(BaseModule):
    """VGGish per second and a resizer to C channels.

    Seconds take the place of words (MUTR, "Feature Backbone": a spectrogram,
    pre-trained VGGish, a linear projection). The resizer is that of
    :class:`TextEncoder`. The feature of the whole sound is the mean of its
    seconds: VGGish has no pooler as RoBERTa has, and the paper does not
    define one.

    Args:
        vggish: Config of :class:`VGGish`; ``frozen`` is set there.
        embed_dims: C.
        dropout: Dropout after the resizer.
        sentence_first: Prepend the feature of the whole sound as one more
            token, as <s> precedes the words. The queries of MUTR start from
            the first token after MTA; if False, this is the first second,
            which has no information about the others.
        init_cfg: Config of mmengine's initialisation.

    Example:
        >>> encoder = SoundEncoder(
        ...     vggish=dict(
        ...         type='VGGish',
        ...         widths=(4, 4, 8, 8, 8, 8),
        ...         embedding_dims=(32, 32, 16),
        ...     ),
        ...     embed_dims=32,
        ... )
        >>> reference = Reference('0', sound=torch.zeros(5 * 16000))
        >>> encoder([reference]).tokens.shape
        torch.Size([1, 5, 32])
    """

    def __init__(
        self,
        vggish: dict,
        embed_dims: int = 256,
        dropout: float = 0.1,
        sentence_first: bool = False,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed_dims = embed_dims
        self.sentence_first = sentence_first
        self.vggish = MODELS.build(vggish)
        self.resizer = nn.Sequential(
            nn.Linear(self.vggish.embed_dims, embed_dims),
            nn.LayerNorm(embed_dims, eps=1e-12),
            nn.Dropout(dropout),
        )

    def forward(self, references: List[Reference]) -> ReferenceTokens:
        """Encode sound references of any lengths.

        Raises:
            InputError: A reference has no sound, or one of another form
                than :class:`Reference` documents.
        """
        device = next(self.parameters()).device
        examples = [
            examples_of(reference).to(device) for reference in references
        ]
        return self.encode_examples(
            torch.cat(examples), [len(each) for each in examples]
        )

    def encode_examples(
        self, examples: Tensor, lengths: List[int]
    ) -> ReferenceTokens:
        """Encode log-mel examples.

        Args:
            examples: (sum of lengths, 1, 96, 64), sound by sound.
            lengths: Length of each of the B sounds in seconds.
        """
        seconds = self.resizer(self.vggish(examples))
        sounds = seconds.split(lengths)
        sentence = torch.stack([sound.mean(0) for sound in sounds])  # (B, C)
        if self.sentence_first:
            sounds = tuple(
                torch.cat((whole[None], sound))
                for whole, sound in zip(sentence, sounds)
            )
        tokens = pad_sequence(list(sounds), batch_first=True)  # (B, L, C)
        counts = torch.tensor([len(s) for s in sounds], device=tokens.device)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        padding_mask = places >= counts[:, None]
        return ReferenceTokens(
            tokens=tokens,
            padding_mask=padding_mask,
            positions=sine_positions_1d(padding_mask, self.embed_dims),
            sentence=sentence,
        )


def examples_of(reference: Reference) -> Tensor:
    """Return the log-mel examples of a reference, (seconds, 1, 96, 64).

    Raises:
        InputError: See :meth:`SoundEncoder.forward`.
    """
    sound = reference.sound
    form: Optional[Tuple[int, ...]] = None
    if sound is not None:
        form = tuple(sound.shape)
        if sound.is_floating_point() and sound.numel():
            if sound.dim() == 1:
                return examples_per_second(sound)
            if form[1:] == (1, FRAMES, BANDS):
                return sound.float()
    raise InputError.of(
        'sound encoder',
        f'sound of reference {reference.id!r}',
        form if sound is None else f'{sound.dtype} {form}',
        'floats: a waveform (samples,) or log-mel examples '
        f'(seconds, 1, {FRAMES}, {BANDS})',
    )
