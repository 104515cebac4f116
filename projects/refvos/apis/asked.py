"""The references that are asked for: from arguments to ``Reference``."""

import shlex
from dataclasses import dataclass, replace
from typing import Any, List, Optional, Sequence, Union

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..io.log_mel import SAMPLE_RATE
from ..io.sound_files import read_sound
from ..structures import MODALITIES, Reference, clean_text
from .sound_cue import SoundCue, SoundSource, find_sound, is_asked

Texts = Union[str, Sequence[str], None]
References = Union[Reference, Sequence[Reference], None]


@dataclass
class AskedReference:
    """A reference, and the sound that belongs to it.

    Args:
        reference: Without its sound where there is a ``cue``.
        cue: Its sound, of which each part of a video hears its own seconds.
    """

    reference: Reference
    cue: Optional[SoundCue] = None

    def whole(self) -> Reference:
        """Give the reference with all of its sound."""
        if self.cue is None:
            return self.reference
        return replace(self.reference, sound=self.cue.read())

    def part(self, start: float, seconds: float) -> Reference:
        """Give the reference with the sound of a part of the video.

        Args:
            start: In seconds.
            seconds: Length; a sound that is shorter is silent for the rest.
        """
        if self.cue is None:
            return self.reference
        heard = self.cue.part(start, seconds)
        return replace(self.reference, sound=heard)


def collect(
    references: References, texts: Texts, first_id: int = 0
) -> List[AskedReference]:
    """Make a list of ready references, then one per text.

    Args:
        references: A speech or sound of which only the path is given is
            read.
        texts: Expressions.
        first_id: References that were asked before; texts are numbered.

    Raises:
        InputError: One of them can't be used.
    """
    if references is None:
        references = []
    elif isinstance(references, Reference):
        references = [references]
    asked = [take_reference(reference) for reference in references]
    made = make_references(texts, first_id + len(asked))
    return asked + [AskedReference(reference) for reference in made]


def add_sound(
    asked: List[AskedReference],
    sound: SoundSource,
    video: Any,
    first_id: int = 0,
) -> List[AskedReference]:
    """Add the reference that is a sound alone, if there is one.

    Args:
        asked: The references before it.
        sound: See :func:`find_sound`.
        video: The video whose soundtrack ``True`` is.
        first_id: References that were asked before.

    Raises:
        InputError: The sound can't be used, or nothing is asked at all.
    """
    if is_asked(sound):
        cue = find_sound(sound, video)
        id = str(first_id + len(asked))
        own = Reference(id, sound_path=cue.path)
        return [*asked, AskedReference(own, cue)]
    if not asked:
        raise InputError.of(
            'inferencer',
            'texts and sound',
            None,
            'expressions, a sound, or both',
        )
    return asked


def take_reference(reference: Any) -> AskedReference:
    """Take a ready reference; read what it names by a path only."""
    if not isinstance(reference, Reference):
        raise InputError.of(
            'inferencer', 'references', reference, 'Reference objects'
        )
    if reference.text is not None:
        reference = replace(reference, text=clean_text(reference.text))
    if reference.speech is None and reference.speech_path is not None:
        speech = read_sound(reference.speech_path, SAMPLE_RATE)
        reference = replace(reference, speech=speech)
    cue = None
    if reference.sound is not None:
        # Ready log-mel examples stay as they are.
        if reference.sound.dim() == 1:
            cue = find_sound(reference.sound, None)
    elif reference.sound_path is not None:
        cue = find_sound(reference.sound_path, None)
    if cue is None:
        return AskedReference(reference)
    return AskedReference(replace(reference, sound=None), cue)


def make_references(texts: Any, first_id: int = 0) -> List[Reference]:
    """Make a reference per expression, numbered; none for None."""
    if texts is None:
        return []
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, (list, tuple)) or not texts:
        raise InputError.of('texts', 'texts', texts, 'a list of expressions')
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InputError.of(
                'texts', f'text {index}', text, 'an expression'
            )
    return [
        Reference(str(index), text=clean_text(text))
        for index, text in enumerate(texts, first_id)
    ]


def parse_reference(words: str, id: str, video: str) -> Reference:
    """Read a reference of several modalities from one argument.

    Args:
        words: As ``text="the red one" sound=a.wav speech=b.wav``; ``sound``
            alone is the soundtrack of the video.
        id: The reference's identifier.
        video: The video file.

    Raises:
        InputError: A word is no modality, is given twice, or has no value.
    """
    expected = f'{", ".join(f"{name}=…" for name in MODALITIES)}, or sound'
    try:
        items = shlex.split(words)
    except ValueError as error:
        raise InputError.of(
            '--ask', 'quotes', words, f'pairs of them ({error})'
        ) from error
    found = {}
    for item in items:
        name, _, value = item.partition('=')
        if item == 'sound':
            value = video
        if name not in MODALITIES or not value or name in found:
            raise InputError.of(
                '--ask', 'entry', item, f'each at most once: {expected}'
            )
        found[name] = value
    if not found:
        raise InputError.of('--ask', 'reference', words, expected)
    return Reference(
        id,
        text=found.get('text'),
        speech_path=found.get('speech'),
        sound_path=found.get('sound'),
    )


def shown_sound(sound: SoundSource) -> Any:
    """A sound in an error's message."""
    given = isinstance(sound, (np.ndarray, Tensor))
    return 'samples' if given else sound
