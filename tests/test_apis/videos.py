"""A small video and its files for the tests of the inferencer."""

from fractions import Fraction
from pathlib import Path
from typing import List, Optional, Sequence

import av
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 50, 70


def make_frames(count: int = 3) -> List[np.ndarray]:
    """A red square that moves over a fixed pattern; RGB, uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (HEIGHT // 10, WIDTH // 10, 3), np.uint8)
    background = coarse.repeat(10, 0).repeat(10, 1)
    frames = []
    for i in range(count):
        frame = background.copy()
        frame[20:36, 6 * i : 6 * i + 16] = (255, 0, 0)
        frames.append(frame)
    return frames


def write_images(
    folder: Path, frames: Sequence[np.ndarray], names: Sequence[str]
) -> List[Path]:
    folder.mkdir(parents=True)
    paths = [folder / name for name in names]
    for path, frame in zip(paths, frames, strict=True):
        Image.fromarray(frame).save(path)
    return paths


def write_lossless(
    path: Path, frames: Sequence[np.ndarray], rate: int = 6
) -> Path:
    """FFV1 keeps every RGB value."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', Fraction(rate))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'bgr0'
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, 'rgb24')
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def write_mp4(
    path: Path,
    frames: Sequence[np.ndarray],
    rate: int = 6,
    sound: Optional[np.ndarray] = None,
    sound_rate: int = 44100,
) -> Path:
    """H.264 as cameras write it, with AAC of (samples,) if given."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', Fraction(rate))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        stream.options = {'crf': '4'}
        if sound is not None:
            track = container.add_stream('aac', sound_rate)
            track.layout = 'mono'
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, 'rgb24')
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if sound is not None:
            plane = sound.astype(np.float32)[None]
            samples = av.AudioFrame.from_ndarray(plane, 'fltp', 'mono')
            samples.sample_rate = sound_rate
            samples.pts = 0
            container.mux(track.encode(samples))
            container.mux(track.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A second of silence, without a picture."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', 8000)
        silence = np.zeros((1, 8000), np.int16)
        frame = av.AudioFrame.from_ndarray(silence, 's16', 'mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
