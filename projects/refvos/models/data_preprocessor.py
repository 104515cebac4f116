"""Data preprocessor: collate clips into batches."""

from typing import Any, Sequence

import torch
from mmdet.models.data_preprocessors import TrackDataPreprocessor
from mmdet.registry import MODELS
from torch import Tensor

from ..structures import RefDataSample


@MODELS.register_module()
class RefDataPreprocessor(TrackDataPreprocessor):
    """mmdet's preprocessor of clips with another padding at test time.

    The published code pads to a multiple of 32 in training, and does not pad
    a single video at test time.

    Args:
        pad_size_divisor: Sizes are padded to a multiple of it in training.
        test_pad_size_divisor: The same at test time.
        kwargs: Arguments of ``TrackDataPreprocessor`` (mean, std,
            bgr_to_rgb).
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

        Frames are normalised and padded, float32. At test time a single clip
        that needs no padding stays uint8, because float32 would take four
        times its memory: the model calls :meth:`normalize` on a few frames
        at a time.
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
        """Whether there is a single uint8 clip that needs no padding."""
        if len(clips) > 1 or clips[0].dtype != torch.uint8:
            return False
        divisor = max(1, self.pad_size_divisor)
        return all(side % divisor == 0 for side in clips[0].shape[-2:])

    def normalize(self, frames: Tensor) -> Tensor:
        """Normalise frames that are still uint8.

        Args:
            frames: (..., 3, H, W); float frames are returned unchanged.
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
            frames: (T, 3, H, W), result of :meth:`forward`.
            sample: Sample of the clip; its ``target_frames``, if any, are
                selected.

        Returns:
            (T, 3, h, w) uint8 RGB.
        """
        targets = sample.metainfo.get('target_frames')
        if targets is not None:
            frames = frames[targets]
        height, width = sample.img_shape[:2]
        frames = frames[..., :height, :width]
        if frames.dtype == torch.uint8:
            return frames
        if self._enable_normalize:
            frames = frames * self.std + self.mean
        if self._channel_conversion:
            frames = frames.flip(1)
        return frames.round().clamp(0, 255).to(torch.uint8)
