"""Read sound files: mono, at one sample rate, and checked."""

import math
import os
import os.path as osp
from itertools import chain
from typing import Any, Iterator, List, Optional

import av
import numpy as np
import soundfile
import torch
import torch.nn.functional as F
from torch import Tensor
from torchaudio.functional import resample

from ..errors import InputError
from .media import best_sound, best_video, open_media
from .paths import PathLike

SOUNDFILE_SUFFIXES = ('.wav', '.flac', '.ogg')
# Seconds; a longer sound is refused unless max_seconds is set.
LONGEST = 3600.0
# Floats may exceed 1 slightly; values far above 1 are integers.
LOUDEST = 16.0
LOWEST_RATE, HIGHEST_RATE = 1000, 768000  # Hz
BLOCK = 1 << 20  # samples of all channels
# Seconds. Times in files are rounded, in some to milliseconds.
SHORTEST_GAP = 0.1
# Size of a resampling filter: the product of the two rates in lowest terms,
# 7e4 from 44.1 to 16 kHz.
LARGEST_FILTER = 10_000_000


def read_sound(
    path: PathLike,
    sample_rate: int = 16000,
    max_seconds: Optional[float] = None,
) -> Tensor:
    """Read the sound of a sound or video file.

    ``.wav``, ``.flac`` and ``.ogg`` are read by soundfile, all other files
    by FFmpeg (the main sound stream). In a video, time starts with the
    first frame: earlier sound is dropped, and a late start or gaps of the
    soundtrack are filled with silence. Channels are averaged, in blocks.
    Samples are clipped to -1..1. Silence is a valid sound (its log-mel is
    log 0.01 everywhere). Of a truncated file, what its format allows to
    decode is read.

    Args:
        path: A local file.
        sample_rate: Sample rate of the result, in Hz.
        max_seconds: Read at most this much from the start, which bounds the
            memory. None reads everything, at most an hour.

    Returns:
        (samples,) float32 in -1..1, mono.

    Raises:
        InputError: The file is missing, broken or longer than an hour, or
            has no sound or no samples; or samples are not finite, or not
            fractions of full scale.
    """
    path = osp.expanduser(os.fspath(path))
    if max_seconds is not None and not max_seconds > 0:
        raise InputError.of(
            path, 'max_seconds', max_seconds, 'a number above 0'
        )
    if not osp.isfile(path):
        found = 'a folder' if osp.isdir(path) else 'missing'
        raise InputError.of(path, 'file', found, 'a sound or video file')
    if path.lower().endswith(SOUNDFILE_SUFFIXES):
        source: Any = SoundFileSource(path)
    else:
        source = StreamSource(path)
    with source:
        rate = check_rate(path, source.sample_rate)
        waveform = collect(path, source.blocks(), rate, max_seconds)
    waveform = change_rate(waveform, rate, sample_rate)
    return waveform.clamp_(-1, 1)


def fit_sound(
    waveform: Tensor, seconds: float, sample_rate: int = 16000
) -> Tensor:
    """Cut a sound, or pad it with silence, to a length.

    Args:
        waveform: (samples,).
        seconds: Length of the result, rounded to whole samples.
        sample_rate: Sample rate of the waveform, in Hz.

    Returns:
        (samples,).
    """
    wanted = round(seconds * sample_rate)
    return F.pad(waveform[:wanted], (0, max(0, wanted - len(waveform))))


class SoundFileSource:
    """Decode a file with soundfile.

    Args:
        path: A local file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            raise broken(path, error.error_string) from error
        self.sample_rate = self.file.samplerate

    def __enter__(self) -> 'SoundFileSource':
        return self

    def __exit__(self, *args: Any) -> None:
        self.file.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks of samples, (samples, channels) float32."""
        frames = max(1, BLOCK // self.file.channels)
        while True:
            try:
                block = self.file.read(frames, dtype='float32', always_2d=True)
            except soundfile.LibsndfileError as error:
                raise broken(self.path, error.error_string) from error
            if not len(block):
                return
            yield block


class StreamSource:
    """Decode the main sound stream of a file with FFmpeg.

    Args:
        path: A local file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.container = open_media(path)
        except av.FFmpegError as error:
            raise broken(path, error.strerror) from error
        try:
            self.stream = best_sound(self.container, path)
        except InputError:
            self.container.close()
            raise
        self.sample_rate = self.stream.rate

    def __enter__(self) -> 'StreamSource':
        return self

    def __exit__(self, *args: Any) -> None:
        self.container.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks of samples, (samples, channels) float32."""
        to_float = av.AudioResampler(format='fltp', rate=self.sample_rate)
        start = self.start_time()
        # Samples since the start; negative before it is reached.
        count: Optional[int] = None
        try:
            for frame in self.container.decode(self.stream):
                gap = 0.0
                if frame.time is not None:
                    place = frame.time - start
                    if count is None:
                        count = min(0, round(place * self.sample_rate))
                    gap = place - count / self.sample_rate
                parts = to_float.resample(frame)
                sounds = (part.to_ndarray().T for part in parts)
                for block in chain(self.silence(gap), sounds):
                    count = count or 0
                    early = max(0, -count)
                    count += len(block)
                    if early < len(block):
                        yield block[early:]
        except (av.FFmpegError, ValueError) as error:
            # PyAV raises ValueError if the format changes within the file.
            reason = getattr(error, 'strerror', None) or str(error)
            raise broken(self.path, reason) from error

    def start_time(self) -> float:
        """Return the start in seconds: that of the video, if there is one."""
        try:
            video = best_video(self.container, self.path)
        except InputError:  # A sound alone.
            video = None
        if video and video.start_time is not None and video.time_base:
            return float(video.start_time * video.time_base)
        return (self.container.start_time or 0) / av.time_base

    def silence(self, seconds: float) -> Iterator[np.ndarray]:
        """Yield the silence of a gap in blocks; nothing for short gaps."""
        if seconds < SHORTEST_GAP:
            return
        left = round(seconds * self.sample_rate)
        while left > 0:
            size = min(left, BLOCK)
            yield np.zeros((size, 1), np.float32)
            left -= size


def collect(
    path: str,
    blocks: Iterator[np.ndarray],
    rate: int,
    max_seconds: Optional[float],
) -> Tensor:
    """Average the channels of blocks, check and concatenate them."""
    limit = LONGEST if max_seconds is None else max_seconds
    wanted = math.ceil(limit * rate)
    parts: List[np.ndarray] = []
    count = 0
    for block in blocks:
        part = block.mean(axis=1, dtype=np.float32)
        if max_seconds is not None:
            part = part[: wanted - count]
        check_samples(path, part, count / rate)
        parts.append(part)
        count += len(part)
        if count > wanted:
            raise InputError.of(
                path,
                'length in seconds',
                f'more than {LONGEST:g}',
                f'at most {LONGEST:g}, or max_seconds, to read the start',
            )
        if max_seconds is not None and count == wanted:
            break
    if not count:
        raise InputError.of(path, 'samples', 0, 'at least one')
    return torch.from_numpy(np.concatenate(parts))


def check_samples(path: str, samples: np.ndarray, start: float) -> None:
    """Raise InputError for samples out of range, ``start`` s into a file."""
    if not len(samples):
        return
    if not np.isfinite(samples).all():
        value = samples[~np.isfinite(samples)][0]
        expected = 'finite numbers'
    else:
        value = samples[np.abs(samples).argmax()]
        if abs(value) <= LOUDEST:
            return
        expected = 'fractions of full scale, -1 to 1'
    raise InputError.of(
        path, f'a sample after {start:.1f} s', float(value), expected
    )


def check_rate(path: str, rate: Any) -> int:
    """Return a sample rate in Hz; raise InputError for implausible ones."""
    if not (rate and LOWEST_RATE <= rate <= HIGHEST_RATE):
        raise InputError.of(
            path,
            'sample rate',
            rate,
            f'{LOWEST_RATE} to {HIGHEST_RATE} samples a second',
        )
    return int(rate)


def change_rate(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """Resample (samples,) from one rate to another, both in Hz.

    Rates without a common divisor would need a filter of gigabytes: such a
    rate is rounded to a multiple of 25 Hz, which is off by at most 1.2 % at
    1 kHz and 0.03 % at 44.1 kHz.
    """
    common = math.gcd(rate, wanted)
    if (rate // common) * (wanted // common) > LARGEST_FILTER:
        rate = round(rate / 25) * 25
    return resample(waveform, rate, wanted)


def broken(path: str, reason: Any) -> InputError:
    """Make the error for a file that cannot be decoded."""
    return InputError.of(path, 'content', reason, 'a sound that is whole')
