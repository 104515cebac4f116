"""Read the sound of a video."""

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

# Change the number with the computation: cached features are then unused.
FRONT_END = 'vggish log-mel a second, 1'


@TRANSFORMS.register_module()
class LoadSound(BaseTransform):
    """Read a video's soundtrack into its references.

    Optional Keys: sound_path (a sound or video file), log_mel_path (a file
    of log-mel examples, one a second), seconds (of the video). Required
    Keys: references. Modified Keys: references, those without a sound.

    Items that name neither file do not change, so that items with text and
    items with sound share a pipeline. The sound file is preferred; the
    log-mel file is read if no sound file is named or it does not exist. Both
    are cut, or padded with silence, to ``seconds``; without that key a sound
    keeps its length. The sound is that of the whole video, whatever frames
    :class:`SampleClip` has chosen: its n-th second belongs to the n-th
    second of the video, not of the clip.

    Args:
        as_waveform: Add the waveform, 16 kHz mono, instead of the log-mel
            examples that :class:`SoundEncoder` would compute from it.
        cache_dir: Folder in which log-mel examples of sounds are kept, see
            :class:`SoundCache`.

    Raises:
        InputError: A sound is missing or broken, or arguments exclude each
            other.
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
        """Read one of the two files; None if neither is named.

        Args:
            path: Sound or video file.
            log_mel_path: File of log-mel examples.
            seconds: Length of the result; None for the file's own.

        Returns:
            (seconds, 1, 96, 64) log-mel examples, or (samples,).

        Raises:
            InputError: The file cannot be used, or neither exists.
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
        """Read a sound file, or its log-mel examples from the cache."""
        if self.as_waveform:
            return read_fitted(path, seconds)

        def make() -> Tensor:
            return examples_per_second(read_fitted(path, seconds))

        # A missing file has no key; reading it raises the right error.
        if self.cache is None or not osp.isfile(path):
            return make()
        settings = dict(
            front_end=FRONT_END, sample_rate=SAMPLE_RATE, seconds=seconds
        )
        return self.cache.get(path, settings, make)


def read_fitted(path: str, seconds: Optional[float]) -> Tensor:
    """Read a waveform (samples,), cut or padded to ``seconds`` if given."""
    waveform = read_sound(path, SAMPLE_RATE, max_seconds=seconds)
    if seconds is None:
        return waveform
    return fit_sound(waveform, seconds, SAMPLE_RATE)


def fit_examples(examples: Tensor, seconds: Optional[float]) -> Tensor:
    """Cut log-mel examples, or pad them with silence, to ``seconds``."""
    if seconds is None:
        return examples
    count = max(1, int(seconds + 0.5))
    silence = silent_examples(max(0, count - len(examples)))
    return torch.cat((examples[:count], silence))


@TRANSFORMS.register_module()
class PackSoundCategory(BaseTransform):
    """Pack a sound and its category for :class:`SoundClassifier`.

    Required Keys: references, the first one with its sound; category.
    Returns ``inputs``, (seconds, 1, 96, 64) log-mel examples, and
    ``labels``, the category's index.

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
