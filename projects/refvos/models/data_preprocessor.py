"""Frames into batches."""

from typing import Any

import torch
from mmdet.models.data_preprocessors import TrackDataPreprocessor
from mmdet.registry import MODELS
from torch import Tensor

from ..structures import RefDataSample


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

    def restore(self, frames: Tensor, sample: RefDataSample) -> Tensor:
        """Undo normalisation and padding of one clip.

        Args:
            frames: (T, 3, H, W), as :meth:`forward` made them.
            sample: The clip's; ``answer_frames`` picks frames, if it is set.

        Returns:
            (T, 3, h, w) uint8 RGB.
        """
        answered = sample.metainfo.get('answer_frames')
        if answered is not None:
            frames = frames[answered]
        height, width = sample.img_shape[:2]
        frames = frames[..., :height, :width]
        if self._enable_normalize:
            frames = frames * self.std + self.mean
        if self._channel_conversion:
            frames = frames.flip(1)
        return frames.round().clamp(0, 255).to(torch.uint8)
