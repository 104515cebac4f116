"""Draw some videos of a validation or test run."""

import re
from pathlib import Path
from typing import Any, List, Optional, Sequence

import numpy as np
from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..errors import InputError
from ..io.images import read_image
from ..io.sound_files import fit_sound, read_sound
from ..io.video_frames import pixel_aspect_of, read_video_frames
from ..structures import RefDataSample
from .visualizer import RefVOSVisualizer


@HOOKS.register_module()
class RefVOSVisualizationHook(Hook):
    """Write overlays of the first videos of a validation or a test.

    Each video becomes ``<video>.png``, one row of frames for every
    reference, and ``<video>.mp4`` in
    ``<work_dir>/<timestamp>/<out_dir>/test`` or ``.../val_iter<iteration>``.
    Frames are read again from ``img_paths`` or ``video_frames`` of the
    sample's metainfo, and the waveform of a sound from ``sound_path``.

    Args:
        max_videos: Number of videos to draw; 0 for none.
        out_dir: Folder, relative to the run's log folder.
        draw_gt: Outline the ground truth in white where it is known.
        visualizer: Arguments of the ``RefVOSVisualizer`` that draws.

    Raises:
        InputError: If samples have neither ``img_paths`` nor
            ``video_frames``, or a frame cannot be read or has another size
            than the masks.

    Example:
        >>> custom_hooks = [
        ...     dict(type='RefVOSVisualizationHook', max_videos=8)]
    """

    def __init__(
        self,
        max_videos: int = 4,
        out_dir: str = 'overlays',
        draw_gt: bool = True,
        visualizer: Optional[dict] = None,
    ) -> None:
        self.max_videos = max_videos
        self.out_dir = out_dir
        self.draw_gt = draw_gt
        # Separate, so that the run may use any visualizer.
        self._visualizer = RefVOSVisualizer(
            **{'name': 'overlays', **(visualizer or {})}
        )
        self._num_drawn = 0

    def before_val_epoch(self, runner: Runner) -> None:
        """Reset the count of drawn videos."""
        self._num_drawn = 0

    def before_test_epoch(self, runner: Runner) -> None:
        """Reset the count of drawn videos."""
        self._num_drawn = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[RefDataSample]] = None,
    ) -> None:
        """Draw the videos of a validation batch."""
        self._draw(runner, f'val_iter{runner.iter}', outputs or [])

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[RefDataSample]] = None,
    ) -> None:
        """Draw the videos of a test batch."""
        self._draw(runner, 'test', outputs or [])

    @master_only
    def _draw(
        self, runner: Runner, part: str, samples: Sequence[RefDataSample]
    ) -> None:
        folder = Path(runner.log_dir) / self.out_dir / part
        for sample in samples[: self.max_videos - self._num_drawn]:
            # Names of videos can contain slashes, such as v/1.
            name = re.sub(r'[^\w.-]', '_', str(sample.video_id))
            self._visualizer.add_datasample(
                name,
                read_frames(sample),
                sample,
                draw_gt=self.draw_gt,
                out_file=folder / name,
                sound=read_waveform(sample),
                pixel_aspect=read_pixel_aspect(sample),
            )
            self._num_drawn += 1
            if self._num_drawn == self.max_videos:
                runner.logger.info(f'Overlays: {folder}')


def read_frames(sample: RefDataSample) -> List[np.ndarray]:
    """Read the frames of a sample from their files; RGB, uint8, (H, W, 3).

    Raises:
        InputError: If the sample does not name its files, or a frame cannot
            be read or has another size than the masks.
    """
    video = f'video {sample.video_id}'
    in_videos = sample.metainfo.get('video_frames')
    if in_videos is not None:
        return [read_video_frames(path, [i])[0] for path, i in in_videos]
    paths = sample.metainfo.get('img_paths')
    if paths is None:
        raise InputError.of(
            video,
            'img_paths',
            None,
            'the files of the frames; PackRefInputs keeps them',
        )
    return [_read_frame(str(path), sample.ori_shape) for path in paths]


def read_pixel_aspect(sample: RefDataSample) -> float:
    """Read width by height of the pixels of a sample's frames."""
    in_videos = sample.metainfo.get('video_frames')
    return pixel_aspect_of(in_videos[0][0]) if in_videos else 1.0


def read_waveform(sample: RefDataSample) -> Optional[np.ndarray]:
    """Read the soundtrack of a sample, (samples,); None if it has none."""
    path = sample.metainfo.get('sound_path')
    if path is None:
        return None
    seconds = sample.metainfo.get('seconds')
    waveform = read_sound(path, max_seconds=seconds)
    if seconds is not None:
        waveform = fit_sound(waveform, seconds)
    return waveform.numpy()


def _read_frame(path: str, shape: Sequence[int]) -> np.ndarray:
    frame = read_image(path)
    if frame.shape[:2] != tuple(shape[:2]):
        raise InputError.of(
            path,
            'size (height, width)',
            frame.shape[:2],
            f'{tuple(shape[:2])}, the size of the masks',
        )
    return frame
