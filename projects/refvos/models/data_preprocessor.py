"""Frames into batches."""

from typing import Any, Sequence

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
        """Make a batch of clips: ``inputs`` (B, T, 3, H, W).

        Normalised and padded, float32. At test time a single clip that
        needs no padding stays as it is, uint8: :meth:`normalize` then makes
        floats of some frames at a time, or a long video would take four
        times its memory before the model sees it.
        """
        self.pad_size_divisor = self.divisors[bool(training)]
        if training or not self.fits(data['inputs']):
            return super().forward(data, training)
        data = self.cast_data(data)
        inputs = data['inputs'][0][None]
        for sample in data['data_samples'] or ():
            shape = tuple(inputs.shape[-2:])
            for frame in sample.video_data_samples:
                frame.set_metainfo(
                    {'batch_input_shape': shape, 'pad_shape': shape}
                )
        return {'inputs': inputs, 'data_samples': data['data_samples']}

    def fits(self, clips: Sequence[Tensor]) -> bool:
        """Whether there is one clip, of a size that needs no padding."""
        if len(clips) > 1 or clips[0].dtype != torch.uint8:
            return False
        divisor = max(1, self.pad_size_divisor)
        return all(side % divisor == 0 for side in clips[0].shape[-2:])

    def normalize(self, frames: Tensor) -> Tensor:
        """Make what the model sees of frames that are still uint8.

        Args:
            frames: (..., 3, H, W); floats are left as they are.
        """
        if frames.dtype != torch.uint8:
            return frames
        if self._channel_conversion:
            frames = frames.flip(-3)
        frames = frames.float()
        if self._enable_normalize:
            frames = (frames - self.mean) / self.std
        return frames

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
        if frames.dtype == torch.uint8:
            return frames
        if self._enable_normalize:
            frames = frames * self.std + self.mean
        if self._channel_conversion:
            frames = frames.flip(1)
        return frames.round().clamp(0, 255).to(torch.uint8)
