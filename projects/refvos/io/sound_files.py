"""Sounds from files: mono, at one sample rate, and checked."""

import math
import os
import os.path as osp
from itertools import chain
from typing import Any, Iterator, List, Optional, Union

import av
import numpy as np
import soundfile
import torch
import torch.nn.functional as F
from av.stream import Disposition
from torch import Tensor
from torchaudio.functional import resample

from ..errors import InputError

PathLike = Union[str, 'os.PathLike[str]']

SOUNDFILE_SUFFIXES = ('.wav', '.flac', '.ogg')
# What is longer is not read whole by mistake; cut it, or set max_seconds.
LONGEST = 3600.0
# Floats may overshoot 1 somewhat. What is far beyond are integers.
LOUDEST = 16.0
LOWEST_RATE, HIGHEST_RATE = 1000, 768000  # Hz
BLOCK = 1 << 20  # Samples of all channels.
# Times in files are rounded, to milliseconds in some.
SHORTEST_GAP = 0.1
# Numbers in a resampling filter; it holds the product of the two rates in
# lowest terms, 7e4 for 44.1 to 16 kHz.
LARGEST_FILTER = 10_000_000


def read_sound(
    path: PathLike,
    sample_rate: int = 16000,
    max_seconds: Optional[float] = None,
) -> Tensor:
    """Read the sound of a sound or video file.

    ``.wav``, ``.flac`` and ``.ogg`` are read by soundfile, anything else by
    FFmpeg, whose first sound stream is taken. Time begins with the first
    frame where there is a video: what is heard before is left out, and a
    soundtrack that begins later, or has gaps, is filled with silence there.
    Channels are averaged, blocks at a time. Samples beyond -1 and 1 are cut
    off. Silence is a sound (its log-mel is log 0.01 everywhere). A file cut
    short that its format allows to be read gives what is there.

    Args:
        path: A local file.
        sample_rate: Of the result, in Hz.
        max_seconds: Read only so much from the start, so that memory stays
            bounded. None: all of it, at most an hour.

    Returns:
        (samples,) float32 in -1..1, mono.

    Raises:
        InputError: There is no such file, no sound in it, or not a sample;
            it is broken or longer than an hour; samples are not finite, or
            are no fractions of full scale.
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
    """Cut a sound to so many seconds, or fill it up with silence.

    A sound shorter than its clip is silent for the rest of it.

    Args:
        waveform: (samples,).
        seconds: Length of the result, rounded to whole samples.
        sample_rate: Of the waveform, in Hz.
    """
    wanted = round(seconds * sample_rate)
    return F.pad(waveform[:wanted], (0, max(0, wanted - len(waveform))))


class SoundFileSource:
    """A file that soundfile reads.

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
        """Give the samples, (samples, channels) float32, in blocks."""
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
    """The first sound stream of a file that FFmpeg reads.

    Args:
        path: A local file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.container = av.open(f'file:{path}')
        except av.FFmpegError as error:
            raise broken(path, error.strerror) from error
        streams = self.container.streams.audio
        if not streams:
            kinds = sorted({s.type for s in self.container.streams})
            name = self.container.format.name
            self.container.close()
            raise InputError.of(
                path, f'streams ({name})', kinds, 'a sound stream'
            )
        self.stream = streams[0]
        self.sample_rate = self.stream.rate

    def __enter__(self) -> 'StreamSource':
        return self

    def __exit__(self, *args: Any) -> None:
        self.container.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """Give the samples, (samples, channels) float32, in blocks."""
        to_float = av.AudioResampler(format='fltp', rate=self.sample_rate)
        start = self.start_time()
        # Samples since the start; below 0, as long as it is not reached.
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
            # A ValueError: the format changes on the way.
            reason = getattr(error, 'strerror', None) or str(error)
            raise broken(self.path, reason) from error

    def start_time(self) -> float:
        """When the file begins, in seconds: with its video, if it has one."""
        for stream in self.container.streams.video:
            is_cover = bool(stream.disposition & Disposition.attached_pic)
            start, unit = stream.start_time, stream.time_base
            if not is_cover and start is not None and unit is not None:
                return float(start * unit)
        return (self.container.start_time or 0) / av.time_base

    def silence(self, seconds: float) -> Iterator[np.ndarray]:
        """Give the silence of a gap in blocks; none of a short one."""
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
    """Average the channels of blocks, check them, and put them together."""
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
    """Refuse samples that are no sound; ``start`` says where they are."""
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
    """Refuse sample rates at which nobody records."""
    if not (rate and LOWEST_RATE <= rate <= HIGHEST_RATE):
        raise InputError.of(
            path,
            'sample rate',
            rate,
            f'{LOWEST_RATE} to {HIGHEST_RATE} samples a second',
        )
    return int(rate)


def change_rate(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """Resample (samples,) from one rate to another.

    Rates without a common divisor would need a filter of gigabytes: such a
    rate is taken for the next multiple of 25 Hz, at most 1.2 % away at 1 kHz,
    0.03 % at 44.1 kHz.
    """
    common = math.gcd(rate, wanted)
    if (rate // common) * (wanted // common) > LARGEST_FILTER:
        rate = round(rate / 25) * 25
    return resample(waveform, rate, wanted)


def broken(path: str, reason: Any) -> InputError:
    """What to say where a file can't be decoded."""
    return InputError.of(path, 'content', reason, 'a sound that is whole')
