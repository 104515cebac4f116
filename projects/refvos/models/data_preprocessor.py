"""Frames into batches."""

from typing import Any

from mmdet.models.data_preprocessors import TrackDataPreprocessor
from mmdet.registry import MODELS


@MODELS.register_module()
class RefDataPreprocessor(TrackDataPreprocessor):
    """mmdet's clip preprocessor with a padding of its own at test time.

    The published test code does not pad a single video, training pads to a
    multiple of 32.

    Args:
        pad_size_divisor: Padding in training.
        test_pad_size_divisor: Padding when not training.
        kwargs: Of ``TrackDataPreprocessor`` (mean, std, bgr_to_rgb).
    """

    def __init__(
        self,
        pad_size_divisor: int = 32,
        test_pad_size_divisor: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(pad_size_divisor=pad_size_divisor, **kwargs)
        self.divisors = {True: pad_size_divisor, False: test_pad_size_divisor}

    def forward(self, data: dict, training: bool = False) -> dict:
        self.pad_size_divisor = self.divisors[bool(training)]
        return super().forward(data, training)
