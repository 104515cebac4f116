"""Make references from the arguments of the inferencer."""

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
    """A reference whose sound is cut to the parts of the video.

    Args:
        reference: The reference, without its sound if there is a ``cue``.
        cue: Sound of the reference for the whole video.
    """

    reference: Reference
    cue: Optional[SoundCue] = None

    def whole(self) -> Reference:
        """Return the reference with its whole sound."""
        if self.cue is None:
            return self.reference
        return replace(self.reference, sound=self.cue.read())

    def part(self, start: float, seconds: float) -> Reference:
        """Return the reference with the sound of a part of the video.

        Args:
            start: Start of the part in seconds.
            seconds: Length of the part; a shorter sound is padded with
                silence.
        """
        if self.cue is None:
            return self.reference
        sound = self.cue.part(start, seconds)
        return replace(self.reference, sound=sound)


def collect(
    references: References, texts: Texts, first_id: int = 0
) -> List[AskedReference]:
    """List the given references, followed by one reference per text.

    Args:
        references: Given references. Speech and sound are read if only their
            path is given.
        texts: Expressions.
        first_id: Number of earlier references; the identifier of a text is
            its number.

    Raises:
        InputError: One of them cannot be used.
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
    """Append a reference for the sound, if there is one.

    Args:
        asked: The references before it.
        sound: See :func:`find_sound`.
        video: Source of the video, whose soundtrack is used for ``True``.
        first_id: Number of earlier references.

    Raises:
        InputError: The sound cannot be used, or there is no reference.
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
    """Check a given reference; read speech and sound from their paths."""
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
        # Log-mel examples are used unchanged.
        if reference.sound.dim() == 1:
            cue = find_sound(reference.sound, None)
    elif reference.sound_path is not None:
        cue = find_sound(reference.sound_path, None)
    if cue is None:
        return AskedReference(reference)
    return AskedReference(replace(reference, sound=None), cue)


def make_references(texts: Any, first_id: int = 0) -> List[Reference]:
    """Make one reference per expression, numbered from ``first_id``."""
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
        check_encoding('texts', f'text {index}', text)
    return [
        Reference(str(index), text=clean_text(text))
        for index, text in enumerate(texts, first_id)
    ]


def check_encoding(source: str, field: str, text: str) -> None:
    """Refuse arguments of the command line that are not UTF-8."""
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        raise InputError.of(source, field, text, 'text in UTF-8') from None


def parse_reference(words: str, id: str, video: str) -> Reference:
    """Parse a reference of several modalities from one argument.

    Args:
        words: Entries such as ``text="the red one" sound=a.wav
            speech=b.wav``; ``sound`` alone is the soundtrack of the video.
        id: Identifier of the reference.
        video: The video file.

    Raises:
        InputError: An entry is not a modality, is given twice, or has no
            value.
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
    check_encoding('--ask', 'text', found.get('text', ''))
    return Reference(
        id,
        text=found.get('text'),
        speech_path=found.get('speech'),
        sound_path=found.get('sound'),
    )


def describe_sound(sound: SoundSource) -> Any:
    """Return the value of a sound for an error message."""
    is_waveform = isinstance(sound, (np.ndarray, Tensor))
    return 'samples' if is_waveform else sound
