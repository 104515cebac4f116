"""Reading the sound of a video."""

import os.path as osp
from dataclasses import replace
from typing import Optional, Sequence

import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from torch import Tensor

from ...errors import InputError
from ...io.log_mel import SAMPLE_RATE, examples_per_second, silent_examples
from ...io.log_mel_files import read_log_mel
from ...io.sound_cache import SoundCache
from ...io.sound_files import LONGEST, fit_sound, read_sound

# Another number for another way to compute it: cached features are old then.
FRONT_END = 'vggish log-mel a second, 1'


@TRANSFORMS.register_module()
class LoadSound(BaseTransform):
    """Read a video's soundtrack into its references.

    Optional Keys: sound_path (a sound or video file), log_mel_path (a file
    of log-mel examples, one a second), seconds (of the video). Required
    Keys: references. Modified Keys: references, those without a sound.

    Where an item names neither file, it stays as it is: text-referred and
    sound-referred items share a pipeline. The sound is preferred; the
    log-mel file is read where no sound is named or there is none. Both are
    brought to ``seconds``: cut, or filled up with silence, as a soundtrack
    is that is shorter than its video; without, a sound is taken whole.
    Whatever frames :class:`SampleClip` has chosen, the sound is that of the
    whole video: the n-th second belongs to the n-th second of the video,
    not of the clip.

    Args:
        as_waveform: Give the waveform, 16 kHz mono, instead of the log-mel
            examples that :class:`SoundEncoder` would make of it.
        cache_dir: Keep log-mel examples of sounds in this folder, see
            :class:`SoundCache`.
    """

    def __init__(
        self, as_waveform: bool = False, cache_dir: Optional[str] = None
    ) -> None:
        if as_waveform and cache_dir is not None:
            raise InputError.of(
                'LoadSound',
                'cache_dir',
                cache_dir,
                'None with as_waveform: only log-mel examples are kept',
            )
        self.as_waveform = as_waveform
        self.cache = None if cache_dir is None else SoundCache(cache_dir)

    def transform(self, results: dict) -> dict:
        references = results['references']
        sound = None
        if any(each.sound is None for each in references):
            sound = self.load(
                results.get('sound_path'),
                results.get('log_mel_path'),
                results.get('seconds'),
            )
        if sound is not None:
            results['references'] = [
                replace(each, sound=sound) if each.sound is None else each
                for each in references
            ]
        return results

    def load(
        self,
        path: Optional[str],
        log_mel_path: Optional[str],
        seconds: Optional[float],
    ) -> Optional[Tensor]:
        """Read one of the two files, if any is named.

        Returns:
            (seconds, 1, 96, 64) log-mel examples, or (samples,).

        Raises:
            InputError: It can't be used, or neither is there.
        """
        if seconds is not None and not 0 < seconds <= LONGEST:
            raise InputError.of(
                path or log_mel_path,
                'seconds',
                seconds,
                f'above 0, at most {LONGEST:g}',
            )
        if log_mel_path is not None and not (path and osp.exists(path)):
            if self.as_waveform:
                raise InputError.of(
                    log_mel_path,
                    'sound_path',
                    path,
                    'a sound file: log-mel examples give no waveform',
                )
            return fit_examples(read_log_mel(log_mel_path), seconds)
        if path is None:
            return None
        return self.load_file(path, seconds)

    def load_file(self, path: str, seconds: Optional[float]) -> Tensor:
        """Read a sound file."""
        if self.as_waveform:
            return read_fitted(path, seconds)

        def make() -> Tensor:
            return examples_per_second(read_fitted(path, seconds))

        # A missing file has no entry; reading it says what is wrong.
        if self.cache is None or not osp.isfile(path):
            return make()
        settings = dict(
            front_end=FRONT_END, sample_rate=SAMPLE_RATE, seconds=seconds
        )
        return self.cache.get(path, settings, make)


def read_fitted(path: str, seconds: Optional[float]) -> Tensor:
    """Read a waveform (samples,), of just so many seconds if given."""
    waveform = read_sound(path, SAMPLE_RATE, max_seconds=seconds)
    if seconds is None:
        return waveform
    return fit_sound(waveform, seconds, SAMPLE_RATE)


def fit_examples(examples: Tensor, seconds: Optional[float]) -> Tensor:
    """Cut to so many seconds, or fill up with silence, as of sounds."""
    if seconds is None:
        return examples
    count = max(1, int(seconds + 0.5))
    silence = silent_examples(max(0, count - len(examples)))
    return torch.cat((examples[:count], silence))


@TRANSFORMS.register_module()
class PackSoundCategory(BaseTransform):
    """Pack a sound with what makes it, for :class:`SoundClassifier`.

    Required Keys: references, the first one with its sound; category. Gives
    ``inputs``, (seconds, 1, 96, 64) log-mel examples, and ``labels``, the
    category's index.

    Args:
        classes: Names of the categories.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)

    def transform(self, results: dict) -> dict:
        category = results['category']
        if category not in self.classes:
            raise InputError.of(
                f'clip {results["video_id"]!r}',
                'category',
                category,
                f'one of {self.classes}',
            )
        return {
            'inputs': results['references'][0].sound,
            'labels': self.classes.index(category),
        }
