"""References to objects, and the predictions for them."""

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
    """A reference to an object of a video, of one or more modalities.

    Args:
        id: The reference's identifier within its video (Ref-YouTube-VOS: the
            expression id), a string.
        text: The expression, result of :func:`clean_text`.
        speech: A spoken expression, 16 kHz mono, (samples,).
        sound: The soundtrack of the video, the whole of it even if a clip
            has only some of the video's frames: 16 kHz mono, (samples,),
            -1..1; or log-mel examples, one per second,
            (seconds, 1, 96, 64), from :func:`examples_per_second`.
        object_ids: The referred objects; the ground truth is the union of
            their masks. Empty if the reference refers to nothing, or if the
            objects are not known.
        cue: Property by which the expression identifies the object, if the
            data set has it (RefVOS-Mini: appearance, place, motion, ...).
        annotator: Annotator of the expression, if the data set has it
            (Ref-DAVIS17).
        speech_path: File of the speech, if it was read from one.
        sound_path: File of the sound, if it was read from one.
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
        """Modalities of the reference, in the order of ``MODALITIES``."""
        return tuple(
            name for name in MODALITIES if getattr(self, name) is not None
        )

    @property
    def name(self) -> str:
        """Label in results, overlays and file names.

        It is the text and, in brackets, the other modalities; without any
        modality it is the identifier.
        """
        parts = [self.text] if self.text else []
        parts += [f'[{name}]' for name in self.modalities if name != 'text']
        return ' '.join(parts) or f'reference {self.id}'


@dataclass
class Candidate:
    """Prediction of one query for a reference.

    Args:
        masks: One run-length encoding per frame, at the original size.
        score: Probability that this is the object, 0..1.
        bboxes: Boxes, see :class:`ReferencePrediction`.
    """

    masks: List[Rle]
    score: float
    bboxes: List[List[float]] = field(default_factory=list)


@dataclass
class ReferencePrediction:
    """Prediction for one reference, a mask per frame.

    Args:
        reference: The reference.
        masks: One run-length encoding per frame, at the original size.
        score: Probability that this is the object, 0..1.
        frame_scores: The same per frame, 0..1.
        bboxes: Box of the object per frame, x1, y1, x2, y2 in pixels of the
            original size, not clipped to the frame; empty if the model
            predicts no boxes.
        candidates: Answers of the ``test_cfg.candidates`` best queries, the
            chosen one among them, in the order of the queries.
        soft_masks: Probability of each pixel to belong to the object; None
            unless ``test_cfg.soft_masks`` is set.
        is_null: The reference refers to nothing: the masks are empty in
            every frame. Boxes, scores and candidates are those of the model.
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
        """Describe the prediction in one line, without its masks."""
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
    """Return the object of the references of a training sample.

    Args:
        references: References of the sample, whose masks show one object.
        video: Name of the video for the error message.

    Returns:
        The ``object_ids`` of all references.

    Raises:
        InputError: There is no reference, or they refer to different
            objects.
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
