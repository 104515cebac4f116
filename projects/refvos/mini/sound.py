"""Generate soundtracks, in which every kind of shape has its own timbre.

Each second of a soundtrack belongs to one of five frames, evenly spaced over
the video. The ground truth of that frame is all visible objects of the kinds
that sound in the second.
"""

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from .seconds import SECONDS, steady_kinds, times_of_seconds
from .timbres import SAMPLE_RATE, TIMBRES
from .video import MiniVideo

# Soundtracks have their own random generator, seeded by the scene: they change
# neither frames nor expressions.
SOUND_STREAM = 5
# Root mean square of a source, and of the background noise.
LOUDNESS = (0.05, 0.1)
NOISE = (0.0005, 0.002)
PEAK = 0.95
# Seconds to fade in and out, against clicks.
FADE = 0.02
# Number of sounding kinds -> share of the clips with several.
NUM_SOURCES = {2: 0.7, 3: 0.3}
ON = 0.6

Kinds = Tuple[str, ...]


@dataclass(frozen=True)
class Soundtrack:
    """A soundtrack and its sources.

    Args:
        waveform: (samples,) int16, mono, ``SAMPLE_RATE`` Hz.
        sounding: The sounding kinds of each second; may be empty.
        times: Index of the video's frame of each second.
    """

    waveform: np.ndarray
    sounding: Tuple[Kinds, ...]
    times: Tuple[int, ...]


def single_source(video: MiniVideo) -> Soundtrack:
    """Make one kind sound in all seconds; it is always visible (S4)."""
    rng = generator(video)
    kind = str(rng.choice(steady_kinds(video.facts)))
    return mix(rng, video, [(kind,)] * SECONDS)


def several_sources(video: MiniVideo) -> Soundtrack:
    """Switch kinds of the scene on and off, second by second (MS3).

    The sounding kinds change at least once. A kind may sound in a second in
    which it is not visible.
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
    """Make the random generator of a video's soundtrack."""
    return np.random.default_rng((video.scene.texture_seed, SOUND_STREAM))


def mix(
    rng: np.random.Generator, video: MiniVideo, sounding: List[Kinds]
) -> Soundtrack:
    """Synthesize every source, switch it on and off, and add all up."""
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
    """Turn a schedule of seconds into a gain, (samples,), with fades."""
    gain = np.repeat(np.array(on, float), SAMPLE_RATE)
    slope = round(FADE * SAMPLE_RATE)
    summed = np.cumsum(np.pad(gain, (slope + 1, slope)))
    before = summed[slope + 1 : -slope] - summed[1 : -2 * slope]
    after = summed[2 * slope :] - summed[slope:-slope]
    # The minimum keeps both fades within the seconds that are on.
    return np.minimum(before, after[:-1]) / slope


def sounding_mask(
    video: MiniVideo, soundtrack: Soundtrack, second: int
) -> np.ndarray:
    """Return the mask, (H, W) bool, of all that sounds in a second."""
    ids = [
        int(item.id)
        for item in video.scene.objects
        if item.kind in soundtrack.sounding[second]
    ]
    return np.isin(video.rendering.ids[soundtrack.times[second]], ids)
