"""Compute log-mel examples of a waveform: the front end of VGGish."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLE_RATE = 16000
WINDOW = 400  # 25 ms
HOP = 160  # 10 ms
FFT = 512
BANDS = 64
LOWEST, HIGHEST = 125.0, 7500.0  # Hz
LOG_OFFSET = 0.01
FRAMES = 96  # windows per example
EXAMPLE = (FRAMES - 1) * HOP + WINDOW  # samples per example
CHUNK = 64  # Examples at a time: an hour's spectra would fill gigabytes.


def vggish_log_mel(waveform: Tensor) -> Tensor:
    """Compute VGGish's examples of a whole sound, as published.

    25 ms periodic Hann windows every 10 ms, magnitudes of a Fourier
    transform of 512 points, 64 triangular bands from 125 to 7500 Hz,
    logarithm after adding 0.01. 96 consecutive windows form an example;
    examples do not overlap: there is one every 0.96 s, and the remainder is
    dropped. Computed in float64, as published. Silence is log 0.01
    everywhere.

    Source: Hershey et al. 2017, as released with AudioSet.

    Args:
        waveform: (samples,), 16 kHz mono, -1..1, floating point.

    Returns:
        (examples, 1, 96, 64) float32; no example below 0.975 s.
    """
    return log_mel_every(FRAMES * HOP, waveform)


def examples_per_second(waveform: Tensor) -> Tensor:
    """Compute one of VGGish's examples for each second of a sound.

    An example is computed from the first 0.975 s of its second, which fill
    96 windows. AVSBench's log-mel files have this form: (5, 1, 96, 64) for
    5 s and 5 frames; the n-th example belongs to the n-th frame.

    Args:
        waveform: (samples,), 16 kHz mono, -1..1, floating point. A rest of
            less than half a second is dropped, a longer one padded with
            silence; there is at least one second.

    Returns:
        (seconds, 1, 96, 64) float32.
    """
    seconds = max(1, math.floor(len(waveform) / SAMPLE_RATE + 0.5))
    missing = max(0, seconds * SAMPLE_RATE - len(waveform))
    whole = F.pad(waveform, (0, missing))[: seconds * SAMPLE_RATE]
    return log_mel_every(SAMPLE_RATE, whole)


def silent_examples(count: int) -> Tensor:
    """Return examples of silence, (count, 1, 96, 64), all log 0.01."""
    return torch.full((count, 1, FRAMES, BANDS), math.log(LOG_OFFSET))


def log_mel_every(step: int, waveform: Tensor) -> Tensor:
    """Compute an example every ``step`` samples, (examples, 1, 96, 64)."""
    if len(waveform) < EXAMPLE:
        return waveform.new_zeros((0, 1, FRAMES, BANDS), dtype=torch.float32)
    pieces = waveform.unfold(0, EXAMPLE, step)  # (examples, samples)
    parts = [log_mel(part) for part in pieces.split(CHUNK)]
    return torch.cat(parts)[:, None]


def log_mel(pieces: Tensor) -> Tensor:
    """Compute log-mel spectra, (N, samples) -> (N, windows, 64)."""
    frames = pieces.double().unfold(-1, WINDOW, HOP)  # (N, windows, 400)
    hann = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64)
    hann = hann.to(pieces.device)
    # (N, windows, 257)
    spectra = torch.fft.rfft(frames * hann, n=FFT).abs()
    mel = spectra @ mel_bands().to(pieces.device)
    return (mel + LOG_OFFSET).log().float()


def mel_bands() -> Tensor:
    """Compute the weight of each frequency in each band.

    Triangles that are linear in mel; torchaudio's are linear in hertz.

    Returns:
        (257, 64) float64.
    """
    ends = hertz_to_mel(torch.tensor([LOWEST, HIGHEST]).double())
    low, high = ends.tolist()
    edges = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    bins = torch.linspace(
        0, SAMPLE_RATE / 2, FFT // 2 + 1, dtype=torch.float64
    )
    mel = hertz_to_mel(bins)[:, None]
    left, top, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (mel - left) / (top - left)
    falling = (right - mel) / (right - top)
    return torch.minimum(rising, falling).clamp(min=0)


def hertz_to_mel(hertz: Tensor) -> Tensor:
    """Convert hertz to HTK's mel scale."""
    return 1127.0 * torch.log1p(hertz / 700.0)
