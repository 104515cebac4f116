"""Sounds that refer to an object of a video."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..io.log_mel import SAMPLE_RATE
from ..io.paths import PathLike
from ..io.sound_files import check_samples, fit_sound, read_sound
from .video_reader import IMAGE_SUFFIXES

SoundSource = Union[bool, PathLike, np.ndarray, Tensor, None]

# Enough to check that there is a sound; the rest is read after the video.
PROBE_SECONDS = 0.1


@dataclass
class SoundCue:
    """A sound that is a reference.

    Args:
        path: The sound or video file; None if samples were given.
        samples: (samples,) float32, 16 kHz mono, -1..1; None until read.
    """

    path: Optional[str] = None
    samples: Optional[Tensor] = None

    def read(self, seconds: Optional[float] = None) -> Tensor:
        """Return the samples; read the file at the first call.

        Args:
            seconds: Length to read from its start; None for all, at most an
                hour.

        Raises:
            InputError: See :func:`read_sound`.
        """
        if self.samples is None:
            assert self.path is not None
            self.samples = read_sound(self.path, SAMPLE_RATE, seconds)
        return self.samples

    def part(self, start: float, seconds: float) -> Tensor:
        """Return the samples of a part of the video.

        Args:
            start: Start of the part in seconds.
            seconds: Length of the part; a shorter sound is padded with
                silence.
        """
        first = round(start * SAMPLE_RATE)
        return fit_sound(self.read()[first:], seconds, SAMPLE_RATE)


def is_asked(sound: SoundSource) -> bool:
    """Whether a sound is given; False means no sound, as None does."""
    return sound is not None and sound is not False


def find_sound(sound: SoundSource, video: Any) -> SoundCue:
    """Find a sound and check that it can be read.

    Args:
        sound: True for the soundtrack of the video, a sound or video file,
            or samples: floats (samples,), 16 kHz mono, -1..1.
        video: Source of the video, see :meth:`RefVOSInferencer.__call__`.

    Raises:
        InputError: There is no such sound.
    """
    if isinstance(sound, (np.ndarray, Tensor)):
        return SoundCue(samples=check_waveform(sound))
    if sound is True:
        path = soundtrack_file(video)
    elif isinstance(sound, (str, os.PathLike)):
        path = os.path.expanduser(os.fspath(sound))
    else:
        raise InputError.of(
            'inferencer', 'sound', sound, 'True, a path or an array of samples'
        )
    read_sound(path, SAMPLE_RATE, PROBE_SECONDS)
    return SoundCue(path)


def soundtrack_file(video: Any) -> str:
    """Return the file of a video with a soundtrack.

    Raises:
        InputError: The video is not a video file.
    """
    name = 'video'
    if isinstance(video, (str, os.PathLike)):
        path = Path(video).expanduser()
        name = str(path)
        if not path.is_dir() and path.suffix.lower() not in IMAGE_SUFFIXES:
            return name
    raise InputError.of(
        name,
        'sound',
        True,
        'the path of a sound: only a video file has one of its own',
    )


def check_waveform(sound: Union[np.ndarray, Tensor]) -> Tensor:
    """Check a waveform; return it as those of files: (samples,) float32.

    Raises:
        InputError: It is no waveform.
    """
    of_floats = (
        sound.dtype.kind == 'f'
        if isinstance(sound, np.ndarray)
        else sound.is_floating_point()
    )
    if not of_floats or sound.ndim != 1 or not len(sound):
        raise InputError.of(
            'inferencer',
            'sound',
            f'{sound.dtype} {tuple(sound.shape)}',
            'a waveform: floats (samples,), 16 kHz mono',
        )
    if isinstance(sound, np.ndarray):
        # Torch accepts neither negative strides nor foreign byte orders.
        sound = torch.from_numpy(np.ascontiguousarray(sound, np.float32))
    samples = sound.detach().cpu().float()
    check_samples('inferencer: sound', samples.numpy(), 0.0)
    return samples.clamp(-1, 1)
