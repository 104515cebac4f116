"""The sound that refers to an object of a video, from its source."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..io.log_mel import SAMPLE_RATE
from ..io.sound_files import check_samples, fit_sound, read_sound
from .video_reader import IMAGE_SUFFIXES, PathLike

SoundSource = Union[bool, PathLike, np.ndarray, Tensor, None]

# So much shows that there is a sound; all of it is read after the video.
PROBE_SECONDS = 0.1


@dataclass
class SoundCue:
    """A sound that is a reference.

    Args:
        path: The sound or video file; None where samples were given.
        samples: (samples,) float32, 16 kHz mono, -1..1; None until read.
    """

    path: Optional[str] = None
    samples: Optional[Tensor] = None

    def read(self, seconds: Optional[float] = None) -> Tensor:
        """Read the file, unless that is done; gives the samples.

        Args:
            seconds: So much from its start; None for all, at most an hour.

        Raises:
            InputError: See :func:`read_sound`.
        """
        if self.samples is None:
            assert self.path is not None
            self.samples = read_sound(self.path, SAMPLE_RATE, seconds)
        return self.samples

    def part(self, start: float, seconds: float) -> Tensor:
        """Cut out what belongs to a part of the video.

        Args:
            start: In seconds.
            seconds: Length; what the sound lacks of it is silent.
        """
        first = round(start * SAMPLE_RATE)
        return fit_sound(self.read()[first:], seconds, SAMPLE_RATE)


def is_asked(sound: SoundSource) -> bool:
    """Whether there is a sound; False says no, as None does."""
    return sound is not None and sound is not False


def find_sound(sound: SoundSource, video: Any) -> SoundCue:
    """Find a sound and make sure that it can be read.

    Args:
        sound: True for the video's own soundtrack, a sound or video file,
            or samples: floats (samples,), 16 kHz mono, -1..1.
        video: What the inferencer takes.

    Raises:
        InputError: There is no such sound.
    """
    if isinstance(sound, (np.ndarray, Tensor)):
        return SoundCue(samples=check_given(sound))
    if sound is True:
        path = own_file(video)
    elif isinstance(sound, (str, os.PathLike)):
        path = os.path.expanduser(os.fspath(sound))
    else:
        raise InputError.of(
            'inferencer', 'sound', sound, 'True, a path or an array of samples'
        )
    read_sound(path, SAMPLE_RATE, PROBE_SECONDS)
    return SoundCue(path)


def own_file(video: Any) -> str:
    """The file of a video whose soundtrack is asked for."""
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


def check_given(sound: Union[np.ndarray, Tensor]) -> Tensor:
    """Take samples as those of a file are taken: (samples,) float32."""
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
        # Torch takes no views from behind and no foreign byte orders.
        sound = torch.from_numpy(np.ascontiguousarray(sound, np.float32))
    samples = sound.detach().cpu().float()
    check_samples('inferencer: sound', samples.numpy(), 0.0)
    return samples.clamp(-1, 1)
