"""Make sounds and sound files for tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 16000


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    """Make a sine of amplitude 0.5, (samples,) float64."""
    times = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * hertz * times)


def noise(seconds: float, rate: int = RATE) -> np.ndarray:
    """Make fixed noise of exact 16-bit values, (samples,) float64."""
    rng = np.random.default_rng(0)
    draw = rng.integers(-12000, 12000, round(seconds * rate))
    return draw / 32768


def write_wav(
    path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = 'PCM_16'
) -> Path:
    """Write (samples,) or (samples, channels)."""
    soundfile.write(str(path), samples, rate, subtype=subtype)
    return path


def write_stream(
    path: Path,
    samples: np.ndarray,
    rate: int,
    codec: str,
    starts: tuple = (0.0,),
    with_video: bool = False,
    video_start: float = 0.0,
) -> Path:
    """Write (samples, channels) with FFmpeg.

    Args:
        starts: Seconds at which equal parts of the samples begin.
        with_video: Add a second of four dark frames.
        video_start: Second at which the video begins.
    """
    layout = {1: 'mono', 2: 'stereo'}[samples.shape[1]]
    with av.open(str(path), 'w') as container:
        video = None
        if with_video:
            video = container.add_stream('ffv1', Fraction(4))
            video.width, video.height, video.pix_fmt = 16, 16, 'bgr0'
        stream = container.add_stream(codec, rate)
        stream.layout = layout
        if video is not None:
            dark = np.zeros((16, 16, 3), np.uint8)
            for index in range(4):
                frame = av.VideoFrame.from_ndarray(dark, 'rgb24')
                frame.pts = index + round(4 * video_start)
                frame.time_base = Fraction(1, 4)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        parts = np.split(samples.astype(np.float32), len(starts))
        for start, part in zip(starts, parts, strict=True):
            planes = np.ascontiguousarray(part.T)
            sound = av.AudioFrame.from_ndarray(planes, 'fltp', layout)
            sound.sample_rate = rate
            sound.pts = round(start * rate)
            sound.time_base = Fraction(1, rate)
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path
