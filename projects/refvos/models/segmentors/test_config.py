"""The options of a segmentor at test time."""

import difflib
from dataclasses import dataclass, fields, replace
from typing import Any, Mapping, Optional, Union

import torch

from ...errors import InputError, describe

PRECISIONS = {None: None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
ALL_CANDIDATES = -1
# Built by the model, and no field: it cannot be changed for one call.
POST_PROCESS = 'post_process'


@dataclass(frozen=True)
class TestConfig:
    """How a segmentor predicts; ``model.test_cfg`` in a config.

    Configs also accept ``post_process`` there, the config of a module that
    changes the masks of a video, such as :class:`SAM2Propagation`; the model
    builds it and keeps it as ``model.post_process``.

    Args:
        threshold: Probability above which a pixel belongs to the object,
            between 0 and 1.
        frame_chunk: Number of frames that pass together through the parts of
            the model that process each frame alone, and whose masks are
            resized together. Memory depends on it, predictions do not. None
            is 1 on a CPU, whose cache holds no more, and 8 on a GPU.
        candidates: Number of queries that are returned in
            ``ReferencePrediction.candidates``, those with the highest
            scores: 0 for none, -1 for all (mAP needs all).
        soft_masks: Fill ``ReferencePrediction.soft_masks``: True in steps of
            log-odds (Ref-DAVIS17), 'linear' in steps of the probability
            (F-score of AVSBench).
        precision: 'bf16' or 'fp16' for mixed precision, None for float32.
        compact_features: Keep the features of a video in 16 bits until they
            are used.
        features_on: Device that keeps the features of a video until they are
            used, such as 'cpu' for videos longer than the memory of a GPU.
            None is the device of the model.
        null_threshold: Score, 0 to 1, below which a reference refers to
            nothing: its masks are empty then. None accepts any score.

    Raises:
        InputError: A value has the wrong type or is out of range.

    Example:
        >>> model = dict(test_cfg=dict(threshold=0.4, candidates=-1))
    """

    # The name is not that of a test class.
    __test__ = False

    threshold: float = 0.5
    frame_chunk: Optional[int] = None
    candidates: int = 0
    soft_masks: Union[bool, str] = False
    precision: Optional[str] = None
    compact_features: bool = True
    features_on: Optional[str] = None
    null_threshold: Optional[float] = None

    def __post_init__(self) -> None:
        self.check(
            'threshold',
            is_number(self.threshold) and 0 < self.threshold < 1,
            'a number between 0 and 1',
        )
        self.check(
            'frame_chunk',
            self.frame_chunk is None
            or (is_integer(self.frame_chunk) and self.frame_chunk > 0),
            'None or an integer from 1',
        )
        self.check(
            'candidates',
            is_integer(self.candidates) and self.candidates >= ALL_CANDIDATES,
            'a number of queries: 0 for none, -1 for all',
        )
        self.check(
            'soft_masks',
            isinstance(self.soft_masks, bool) or self.soft_masks == 'linear',
            "False, True or 'linear'",
        )
        self.check(
            'precision',
            self.precision in list(PRECISIONS),
            'None, bf16 or fp16',
        )
        self.check(
            'compact_features',
            isinstance(self.compact_features, bool),
            'True or False',
        )
        self.check(
            'features_on',
            is_device(self.features_on),
            "None or a device, as 'cpu'",
        )
        self.check(
            'null_threshold',
            self.null_threshold is None
            or (
                is_number(self.null_threshold)
                and 0 <= self.null_threshold <= 1
            ),
            'None, or 0 to 1',
        )

    def check(self, field: str, is_valid: bool, expected: str) -> None:
        """Raise an InputError for a field that is not valid."""
        if not is_valid:
            raise InputError.of(
                'test_cfg', field, getattr(self, field), expected
            )

    @classmethod
    def from_dict(cls, options: Optional[Mapping[str, Any]]) -> 'TestConfig':
        """Build it from the dict of a config.

        Raises:
            InputError: A key is no field; the message names the nearest one.
        """
        return cls().changed(**(options or {}))

    def changed(self, **changes: Any) -> 'TestConfig':
        """Return a copy with other values of some fields.

        Raises:
            InputError: See :meth:`from_dict`.
        """
        known = [field.name for field in fields(self)]
        for name, value in changes.items():
            if name not in known:
                raise unknown_field(name, value, known)
        return replace(self, **changes)


def unknown_field(name: str, value: Any, known: list) -> InputError:
    """Make the error for a key that is no field."""
    choices = [*known, POST_PROCESS]
    message = describe('test_cfg', name, value, f'one of {", ".join(choices)}')
    near = difflib.get_close_matches(name, choices, n=1)
    return InputError(
        message + (f' (did you mean {near[0]}?)' if near else '')
    )


def is_number(value: Any) -> bool:
    """Whether a value is a number; bool is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Whether a value is an integer; bool is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_device(value: Any) -> bool:
    """Whether a value is None or the name of a device."""
    if value is None:
        return True
    try:
        torch.device(value)
    except (RuntimeError, TypeError):
        return False
    return not isinstance(value, int)
