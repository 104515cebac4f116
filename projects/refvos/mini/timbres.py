"""Synthesize a timbre for each kind of shape.

Timbres differ in the frequencies of their energy, in its course over time,
and in whether they have a pitch. Pitch and speed vary a little at random.
"""

from typing import Callable, Dict, Sequence

import numpy as np

SAMPLE_RATE = 16000
# Hz; higher partials would alias, or lie above the bands of the log-mel.
HIGHEST = 7400.0

Timbre = Callable[[np.random.Generator, int], np.ndarray]


def hum(rng: np.random.Generator, length: int) -> np.ndarray:
    """Circle: low and steady, with a slight vibrato."""
    vibrato = 1 + 0.015 * sine(5 * about_one(rng), length, rng)
    pitch = 170 * about_one(rng) * vibrato
    return harmonics(pitch, [1, 0.5, 0.2, 0.1])


def buzz(rng: np.random.Generator, length: int) -> np.ndarray:
    """Square: a square wave of odd partials."""
    pitch = np.full(length, 340 * about_one(rng))
    return harmonics(pitch, [1 / k if k % 2 else 0 for k in range(1, 20)])


def bell(rng: np.random.Generator, length: int) -> np.ndarray:
    """Triangle: inharmonic partials, struck twice a second."""
    pitch = 1050 * about_one(rng)
    since = since_last(2.2 * about_one(rng), length, rng)
    sound = np.zeros(length)
    for ratio, decay in ((1, 0.3), (2.76, 0.2), (5.4, 0.1)):
        strength = np.exp(-since / decay)
        sound += strength * np.sin(2 * np.pi * ratio * pitch * since)
    return sound


def chirp(rng: np.random.Generator, length: int) -> np.ndarray:
    """Star: quick upward slides with silence in between."""
    since = since_last(5 * about_one(rng), length, rng)
    share = np.minimum(since / 0.11, 1)
    pitch = about_one(rng) * (1700 + 2300 * share)
    return np.sin(np.pi * share) * harmonics(pitch, [1])


def rattle(rng: np.random.Generator, length: int) -> np.ndarray:
    """Cross: short bursts of noise without a pitch."""
    since = since_last(9 * about_one(rng), length, rng)
    return np.exp(-since / 0.02) * rng.normal(size=length)


def siren(rng: np.random.Generator, length: int) -> np.ndarray:
    """Ring: a tone that rises and falls once a second."""
    wail = sine(1.2 * about_one(rng), length, rng)
    pitch = 720 * about_one(rng) * 1.4**wail
    return harmonics(pitch, [1, 0.4, 0.3])


def whistle(rng: np.random.Generator, length: int) -> np.ndarray:
    """Diamond: very high, with a tremolo."""
    tremble = 1 + 0.8 * sine(7 * about_one(rng), length, rng)
    pitch = np.full(length, 5400 * about_one(rng))
    return tremble * harmonics(pitch, [1])


# Kind -> function of generator and number of samples, (samples,); the mixer
# sets the loudness.
TIMBRES: Dict[str, Timbre] = {
    'circle': hum,
    'square': buzz,
    'triangle': bell,
    'star': chirp,
    'cross': rattle,
    'ring': siren,
    'diamond': whistle,
}


def about_one(rng: np.random.Generator) -> float:
    """Draw a factor for a pitch or a speed, within 12 % of one."""
    return float(rng.uniform(0.88, 1.12))


def sine(
    frequency: float, length: int, rng: np.random.Generator
) -> np.ndarray:
    """Make a sine wave, (length,), of random phase; frequency in Hz."""
    time = np.arange(length) / SAMPLE_RATE
    return np.sin(2 * np.pi * (frequency * time + rng.uniform()))


def since_last(
    rate: float, length: int, rng: np.random.Generator
) -> np.ndarray:
    """Return seconds since the last of ``rate`` events per second."""
    time = np.arange(length) / SAMPLE_RATE
    return ((time * rate + rng.uniform()) % 1) / rate


def harmonics(pitch: np.ndarray, strengths: Sequence[float]) -> np.ndarray:
    """Add up the harmonics of a pitch that may change.

    Args:
        pitch: (length,) in Hz.
        strengths: Amplitudes of the first harmonic, the second, ...

    Returns:
        (length,).
    """
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    sound = np.zeros(len(pitch))
    for index, strength in enumerate(strengths):
        multiple = index + 1
        if strength and multiple * pitch.max() < HIGHEST:
            sound += strength * np.sin(multiple * phase)
    return sound
