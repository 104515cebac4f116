"""Soundtracks: every kind of shape sounds in its own way.

A second of the soundtrack belongs to one of five frames that are spread over
the video. What sounds in a second is what the frame's reference means: all
objects of the sounding kinds that are seen there.
"""

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from .seconds import SECONDS, steady_kinds, times_of_seconds
from .timbres import SAMPLE_RATE, TIMBRES
from .video import MiniVideo

# The generator of a soundtrack is the scene's and nobody else's: what is
# heard changes nothing that is seen or said.
SOUND_STREAM = 5
# Root mean square of a source; of the noise behind all of them.
LOUDNESS = (0.05, 0.1)
NOISE = (0.0005, 0.002)
PEAK = 0.95
# On and off within this many seconds: no click.
FADE = 0.02
# Number of sounding kinds -> share of the clips with several.
NUM_SOURCES = {2: 0.7, 3: 0.3}
ON = 0.6

Kinds = Tuple[str, ...]


@dataclass(frozen=True)
class Soundtrack:
    """A soundtrack, and what made it.

    Args:
        waveform: (samples,) int16, mono, ``SAMPLE_RATE`` a second.
        sounding: The kinds that sound, one entry a second; some may be
            empty.
        times: The video's frame of each second.
    """

    waveform: np.ndarray
    sounding: Tuple[Kinds, ...]
    times: Tuple[int, ...]


def single_source(video: MiniVideo) -> Soundtrack:
    """One kind sounds all the time, and is seen all the time (S4)."""
    rng = generator(video)
    kind = str(rng.choice(steady_kinds(video.facts)))
    return mix(rng, video, [(kind,)] * SECONDS)


def several_sources(video: MiniVideo) -> Soundtrack:
    """Kinds of the scene go on and off, second by second (MS3).

    Something sounds in some second, and not the same all the time. A kind
    may sound that is not seen in that second.
    """
    rng = generator(video)
    kinds = list(dict.fromkeys(item.kind for item in video.scene.objects))
    wanted = int(rng.choice(list(NUM_SOURCES), p=list(NUM_SOURCES.values())))
    kinds = [str(kind) for kind in rng.permutation(kinds)[:wanted]]
    sounding: List[Kinds] = []
    while len(set(sounding)) < 2:
        schedule = rng.uniform(size=(SECONDS, len(kinds))) < ON
        sounding = [
            tuple(kind for kind, on in zip(kinds, second, strict=True) if on)
            for second in schedule
        ]
    return mix(rng, video, sounding)


def generator(video: MiniVideo) -> np.random.Generator:
    return np.random.default_rng((video.scene.texture_seed, SOUND_STREAM))


def mix(
    rng: np.random.Generator, video: MiniVideo, sounding: List[Kinds]
) -> Soundtrack:
    """Make every source's sound, switch it on and off, and add them up."""
    length = len(sounding) * SAMPLE_RATE
    total = rng.uniform(*NOISE) * rng.normal(size=length)
    for kind in dict.fromkeys(kind for kinds in sounding for kind in kinds):
        sound = TIMBRES[kind](rng, length)
        sound /= np.sqrt(np.mean(sound**2))
        on = envelope([kind in kinds for kinds in sounding])
        total += rng.uniform(*LOUDNESS) * on * sound
    total *= min(1.0, PEAK / np.abs(total).max())
    return Soundtrack(
        np.rint(total * 32767).astype(np.int16),
        tuple(sounding),
        tuple(times_of_seconds(video.scene.num_frames)),
    )


def envelope(on: List[bool]) -> np.ndarray:
    """A schedule by the second as a gain, (samples,), with short slopes."""
    gain = np.repeat(np.array(on, float), SAMPLE_RATE)
    slope = round(FADE * SAMPLE_RATE)
    summed = np.cumsum(np.pad(gain, (slope + 1, slope)))
    before = summed[slope + 1 : -slope] - summed[1 : -2 * slope]
    after = summed[2 * slope :] - summed[slope:-slope]
    # Both within its own seconds: nothing sounds earlier or later.
    return np.minimum(before, after[:-1]) / slope


def sounding_mask(
    video: MiniVideo, soundtrack: Soundtrack, second: int
) -> np.ndarray:
    """What sounds in a second, (H, W) bool, in the frame of that second."""
    ids = [
        int(item.id)
        for item in video.scene.objects
        if item.kind in soundtrack.sounding[second]
    ]
    return np.isin(video.rendering.ids[soundtrack.times[second]], ids)
