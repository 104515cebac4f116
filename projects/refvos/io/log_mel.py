"""The front end of VGGish: from a waveform to log-mel examples."""

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
FRAMES = 96  # of an example
EXAMPLE = (FRAMES - 1) * HOP + WINDOW  # samples that an example sees
AT_ONCE = 64  # Examples; an hour's spectra would fill gigabytes.


def vggish_log_mel(waveform: Tensor) -> Tensor:
    """Cut a sound into VGGish's examples, as published for whole sounds.

    25 ms periodic Hann windows every 10 ms, the magnitudes of a Fourier
    transform of 512 points, 64 triangular bands 125 to 7500 Hz, the
    logarithm of the sum with 0.01; 96 windows in a row make an example,
    and examples do not overlap: one every 0.96 s. What is left at the end
    is dropped. Computed in float64, as published. Silence is log 0.01
    everywhere.

    Source: Hershey et al. 2017, as released with AudioSet.

    Args:
        waveform: (samples,), 16 kHz mono, -1..1, floating point.

    Returns:
        (examples, 1, 96, 64) float32; none of a sound under 0.975 s.
    """
    return log_mel_every(FRAMES * HOP, waveform)


def examples_per_second(waveform: Tensor) -> Tensor:
    """Make one of VGGish's examples of each second of a sound.

    The second's own waveform is what its example sees (the first 0.975 s of
    it, which fill 96 windows). AVSBench's log-mel files are of this form:
    [5, 1, 96, 64] for 5 s and 5 frames; the n-th example belongs to the
    n-th frame.

    Args:
        waveform: (samples,), 16 kHz mono, -1..1, floating point. At its end,
            less than half a second is left out, and more is filled up with
            silence; a shorter sound makes one second, too.

    Returns:
        (seconds, 1, 96, 64) float32.
    """
    seconds = max(1, math.floor(len(waveform) / SAMPLE_RATE + 0.5))
    missing = max(0, seconds * SAMPLE_RATE - len(waveform))
    whole = F.pad(waveform, (0, missing))[: seconds * SAMPLE_RATE]
    return log_mel_every(SAMPLE_RATE, whole)


def silent_examples(count: int) -> Tensor:
    """What silence gives: (count, 1, 96, 64) float32, all log 0.01."""
    return torch.full((count, 1, FRAMES, BANDS), math.log(LOG_OFFSET))


def log_mel_every(step: int, waveform: Tensor) -> Tensor:
    """Make an example every ``step`` samples: (examples, 1, 96, 64)."""
    if len(waveform) < EXAMPLE:
        return waveform.new_zeros((0, 1, FRAMES, BANDS), dtype=torch.float32)
    pieces = waveform.unfold(0, EXAMPLE, step)  # (examples, samples)
    parts = [log_mel(part) for part in pieces.split(AT_ONCE)]
    return torch.cat(parts)[:, None]


def log_mel(pieces: Tensor) -> Tensor:
    """Log-mel spectra of pieces: (N, samples) -> (N, windows, 64)."""
    frames = pieces.double().unfold(-1, WINDOW, HOP)  # (N, windows, 400)
    hann = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64)
    hann = hann.to(pieces.device)
    # (N, windows, 257)
    spectra = torch.fft.rfft(frames * hann, n=FFT).abs()
    mel = spectra @ mel_bands().to(pieces.device)
    return (mel + LOG_OFFSET).log().float()


def mel_bands() -> Tensor:
    """How much of each frequency goes into each band.

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
    """HTK's mel scale."""
    return 1127.0 * torch.log1p(hertz / 700.0)
