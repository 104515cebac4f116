"""What says which object is meant, and what a model answers."""

import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

import torch

from ..errors import InputError
from .soft_masks import SoftMasks

# A mask as pycocotools stores it: ``{'size': [h, w], 'counts': bytes}``.
Rle = Dict[str, object]


MODALITIES = ('text', 'speech', 'sound')


# eq=False: tensors do not compare to one truth value.
@dataclass(frozen=True, eq=False)
class Reference:
    """One reference to an object of a video: text, speech, sound, or several.

    Args:
        id: The reference's identifier within its video (Ref-YouTube-VOS: the
            expression id), a string.
        text: The expression, as :func:`clean_text` gives it.
        speech: Somebody saying an expression, 16 kHz mono, (samples,).
        sound: The video's own soundtrack as the cue, all of it, also where
            a clip holds some of the video's frames: 16 kHz mono, (samples,),
            -1..1; or ready log-mel examples, one a second,
            (seconds, 1, 96, 64), as :func:`examples_per_second` makes them.
        object_ids: The objects meant; their masks' union is the answer.
            Empty where nothing is meant or nothing is known.
        cue: How the expression tells the object apart, where the data set
            says so (RefVOS-Mini: appearance, place, motion, ...).
        annotator: Who wrote the expression, where the data set says so
            (Ref-DAVIS17).
        speech_path: The file of the speech, where it came from one.
        sound_path: The file of the sound, where it came from one.
    """

    id: str
    text: Optional[str] = None
    speech: Optional[torch.Tensor] = field(default=None, repr=False)
    sound: Optional[torch.Tensor] = field(default=None, repr=False)
    object_ids: Tuple[str, ...] = field(default=(), kw_only=True)
    cue: Optional[str] = field(default=None, kw_only=True)
    annotator: Optional[str] = field(default=None, kw_only=True)
    speech_path: Optional[str] = field(default=None, kw_only=True)
    sound_path: Optional[str] = field(default=None, kw_only=True)

    @property
    def modalities(self) -> Tuple[str, ...]:
        """The modalities that it has, in the order of ``MODALITIES``."""
        return tuple(
            name for name in MODALITIES if getattr(self, name) is not None
        )

    @property
    def name(self) -> str:
        """The label of results, overlays and file names.

        The text, and in brackets what else there is; the identifier where
        there is nothing.
        """
        parts = [self.text] if self.text else []
        parts += [f'[{name}]' for name in self.modalities if name != 'text']
        return ' '.join(parts) or f'reference {self.id}'


@dataclass
class Candidate:
    """What one query of a model answers to a reference.

    Args:
        masks: One run-length encoding a frame, at the frame's own size.
        score: How sure the model is that this is the object, 0..1.
        bboxes: As those of :class:`ReferencePrediction`.
    """

    masks: List[Rle]
    score: float
    bboxes: List[List[float]] = field(default_factory=list)


@dataclass
class ReferencePrediction:
    """A model's answer to one reference: a mask for every frame.

    Args:
        reference: The reference that was asked.
        masks: One run-length encoding a frame, at the frame's own size.
        score: How sure the model is that this is the object, 0..1.
        frame_scores: The same for every frame, 0..1.
        bboxes: The object's box in every frame, x1, y1, x2, y2 in pixels of
            the frame's own size, not cut at its border; empty where the
            model predicts no boxes.
        candidates: Answers of the ``test_cfg.candidates`` best queries, the
            chosen one among them, in the order of the queries.
        soft_masks: Probability of each pixel to belong to the object; None
            unless ``test_cfg.soft_masks`` is set.
        is_null: Nothing is referred: the masks are empty in every frame.
            Boxes, scores and candidates are as the model gave them.
    """

    reference: Reference
    masks: List[Rle]
    score: float
    frame_scores: List[float] = field(default_factory=list)
    bboxes: List[List[float]] = field(default_factory=list)
    candidates: List[Candidate] = field(default_factory=list)
    soft_masks: Optional[SoftMasks] = None
    is_null: bool = False

    def __repr__(self) -> str:
        """The answer in one line, without its masks."""
        size = self.masks[0]['size'] if self.masks else ()
        frames = f'{len(self.masks)} masks of {tuple(size)}'  # type: ignore
        nothing = ', is_null=True' if self.is_null else ''
        return (
            f'{type(self).__name__}({self.reference.name!r}, '
            f'score={self.score:.3f}, {frames}{nothing})'
        )


def clean_text(text: str) -> str:
    """Lower the case of an expression and fold its white space."""
    return re.sub(r'\s+', ' ', text).strip().lower()


def shared_object(
    references: Sequence[Reference], video: str
) -> Tuple[str, ...]:
    """Give the one object that a training sample's references mean.

    Args:
        references: Those of the sample; the samples' masks are of one
            object.
        video: The video's name, for the error.

    Returns:
        Their ``object_ids``.

    Raises:
        InputError: There is no reference, or they mean several objects.
    """
    objects = list(dict.fromkeys(each.object_ids for each in references))
    if len(objects) != 1:
        raise InputError.of(
            f'video {video}',
            'objects of the references of a training sample',
            [' '.join(ids) for ids in objects],
            'one object, the same in all references',
        )
    return objects[0]
