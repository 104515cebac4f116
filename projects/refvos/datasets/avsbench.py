"""AVSBench (Zhou et al., ECCV 2022) in its published layout."""

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from mmdet.registry import DATASETS

from ..errors import InputError
from ..io.data_files import load_csv
from ..structures import Reference
from .base import BaseReferringDataset
from .layout import missing_files

SUBSETS = ('s4', 'ms3')
SPLITS = ('train', 'val', 'test')
SOUND_FORMS = ('auto', 'wav', 'log_mel')
# A clip is five seconds long and has one frame per second.
SECONDS = 5
# The masks do not tell sounding objects apart: all are one object.
SOUNDING = '1'
EXPECTED = f'a name, a split of {SPLITS} and, of S4, a category'


class Clip(NamedTuple):
    """A clip of the list, and its files relative to the subset's folder.

    Args:
        row: Index of its row, from 0, below the column names.
        name: Name of the clip.
        split: One of ``SPLITS``.
        category: Category of the sounding object, S4 only.
    """

    row: int
    name: str
    split: str
    category: Optional[str] = None

    @property
    def group(self) -> str:
        """Folder of the sound and of the masks, below their own folders."""
        if self.category is None:
            return self.split
        return f'{self.split}/{self.category}'

    @property
    def frames(self) -> List[str]:
        """Files of the frames."""
        if self.category is None:
            folder = f'visual_frames/{self.name}/{self.name}.mp4'
        else:
            folder = f'visual_frames/{self.group}/{self.name}/{self.name}'
        return [f'{folder}_{number}.png' for number in range(1, SECONDS + 1)]

    @property
    def masks(self) -> List[Optional[str]]:
        """Files of the masks; None for frames without one (S4, training)."""
        folder = f'gt_masks/{self.group}/{self.name}/{self.name}'
        only_first = self.category is not None and self.split == 'train'
        return [
            None if only_first and number > 1 else f'{folder}_{number}.png'
            for number in range(1, SECONDS + 1)
        ]

    @property
    def wav(self) -> str:
        """File of the sound."""
        return f'audio_wav/{self.group}/{self.name}.wav'

    @property
    def log_mel(self) -> str:
        """File of the sound's log-mel examples."""
        return f'audio_log_mel/{self.group}/{self.name}.pkl'


@DATASETS.register_module()
class AVSBenchDataset(BaseReferringDataset):
    """AVSBench: segment the sounding objects.

    Single sources (S4)::

        <data_root>/s4_meta_data.csv            name, ..., category, split
        <data_root>/s4_data/visual_frames/<split>/<category>/<name>/
            <name>_{1..5}.png
        <data_root>/s4_data/audio_wav/<split>/<category>/<name>.wav
        <data_root>/s4_data/audio_log_mel/<split>/<category>/<name>.pkl
        <data_root>/s4_data/gt_masks/<split>/<category>/<name>/
            <name>_{1..5}.png                   training: _1.png only

    Several sources (MS3)::

        <data_root>/ms3_meta_data.csv           name, ..., split
        <data_root>/ms3_data/visual_frames/<name>/<name>.mp4_{1..5}.png
        <data_root>/ms3_data/audio_wav/<split>/<name>.wav
        <data_root>/ms3_data/audio_log_mel/<split>/<name>.pkl
        <data_root>/ms3_data/gt_masks/<split>/<name>/<name>_{1..5}.png

    An item is a clip of five frames, one per second, with one reference: its
    soundtrack, which :class:`LoadSound` reads (``sound_path``,
    ``log_mel_path``, ``seconds``). S4 also has the ``category`` of the
    sounding object. The ground truth of a frame is the union of all objects
    that sound in its second; in MS3 it may be empty. Frames without a mask
    have ``labelled=False``: the model sees them, losses and metrics leave
    them out. :class:`SampleClip` with fewer frames keeps the labelled one.

    Args:
        data_root: Folder of the data set.
        subset: 's4' or 'ms3'.
        split: 'train', 'val' or 'test'.
        sound_form: 'wav', 'log_mel', or 'auto': the wav if it exists, else
            the log-mel file.
        kwargs: Arguments of :class:`BaseReferringDataset`.
            ``wrong_references`` gives each clip the sound of another one, in
            S4 one of another category.
    """

    def __init__(
        self,
        data_root: str,
        subset: str,
        split: str,
        sound_form: str = 'auto',
        **kwargs: Any,
    ) -> None:
        for field, value, allowed in (
            ('subset', subset, SUBSETS),
            ('split', split, SPLITS),
            ('sound_form', sound_form, SOUND_FORMS),
        ):
            if value not in allowed:
                raise InputError.of(
                    type(self).__name__, field, value, f'one of {allowed}'
                )
        self.subset = subset
        self.split = split
        self.sound_form = sound_form
        super().__init__(data_root=data_root, **kwargs)

    @property
    def list_file(self) -> Path:
        """Path of the list of clips."""
        return list_file(Path(self.data_root), self.subset)

    @property
    def folder(self) -> Path:
        """Folder of the subset's files."""
        return Path(self.data_root) / f'{self.subset}_data'

    def load_videos(self) -> List[Dict[str, Any]]:
        clips = []
        for row, value, clip in read_clips(self.list_file, self.subset):
            if clip is None:
                self.skip(self.list_file, f'row {row}', value, EXPECTED)
            elif clip.split == self.split:
                clips.append(clip)
        sounds = clips
        if self.wrong_references:
            clips, sounds = self.exchange_sounds(clips)
        return [
            self.make_video(clip, sound)
            for clip, sound in zip(clips, sounds, strict=True)
        ]

    def make_video(self, clip: Clip, sound: Clip) -> Dict[str, Any]:
        """Describe a clip with the sound of a clip, usually its own."""
        frames = []
        for number, (frame, mask) in enumerate(zip(clip.frames, clip.masks)):
            described: Dict[str, Any] = {
                'img_path': str(self.folder / frame),
                'frame_id': str(number + 1),
            }
            if mask is None:
                described['labelled'] = False
            elif self.with_masks:
                described['binary_mask_path'] = str(self.folder / mask)
            frames.append(described)
        known = (SOUNDING,) if self.with_masks else ()
        return {
            'video_id': clip.name,
            'frame_ids': [frame['frame_id'] for frame in frames],
            'frames': frames,
            'references': [Reference(id='0', object_ids=known)],
            'labels': {},
            'seconds': SECONDS,
            'category': sound.category,
            **self.find_sound(sound),
        }

    def find_sound(self, clip: Clip) -> Dict[str, str]:
        """Return the key and path of a clip's sound, see ``sound_form``."""
        wav, log_mel = self.folder / clip.wav, self.folder / clip.log_mel
        form = self.sound_form
        if form == 'auto':
            form = 'wav' if os.path.isfile(wav) else 'log_mel'
            if form == 'log_mel' and not os.path.isfile(log_mel):
                raise InputError.of(
                    wav,
                    'file',
                    'missing',
                    f'the sound of row {clip.row} of {self.list_file}, or '
                    f'its log-mel file {log_mel}',
                )
        if form == 'wav':
            return {'sound_path': str(wav)}
        return {'log_mel_path': str(log_mel)}

    def exchange_sounds(
        self, clips: List[Clip]
    ) -> Tuple[List[Clip], List[Clip]]:
        """Pair each clip with the next one of another sound.

        Returns:
            The clips for which there is one, and the clips that they take
            the sound from.
        """
        kept, sounds = [], []
        for index, clip in enumerate(clips):
            others = clips[index + 1 :] + clips[:index]
            other = next(
                (
                    other
                    for other in others
                    if clip.category is None or other.category != clip.category
                ),
                None,
            )
            if other is None:
                self.skip(
                    self.list_file,
                    f'row {clip.row}',
                    clip.name,
                    'another clip to take the sound from',
                )
                continue
            kept.append(clip)
            sounds.append(other)
        return kept, sounds

    def swap_references(self, video: Dict[str, Any]) -> List[Reference]:
        """Keep the single reference: clips exchange their sounds."""
        return video['references']

    def anchors(self, num_frames: int) -> List[Optional[int]]:
        """Return the only labelled frame of S4 in training, for SampleClip."""
        if self.subset == 's4' and self.split == 'train':
            return [0]
        return super().anchors(num_frames)


def list_file(root: Path, subset: str) -> Path:
    """Return the path of a subset's list of clips."""
    return root / f'{subset}_meta_data.csv'


def read_clips(
    file: Path, subset: str
) -> Iterator[Tuple[int, Dict[str, Any], Optional[Clip]]]:
    """Read the list of a subset.

    The name is in the column ``name``, else in the first one.

    Yields:
        For each row its index from 0, its values, and the clip; None if the
        row cannot be used.

    Raises:
        InputError: The file is missing, not CSV, or lacks a column.
    """
    rows = load_csv(file)
    needed = ('split', 'category') if subset == 's4' else ('split',)
    for row, values in enumerate(rows):
        missing = [column for column in needed if column not in values]
        if missing:
            raise InputError.of(
                file, 'columns', list(values), f'{missing[0]} among them'
            )
        name = values.get('name', next(iter(values.values())))
        found = [name, *(values[column] for column in needed)]
        usable = all(found) and values['split'] in SPLITS
        yield row, values, Clip(row, *found) if usable else None


def check_layout(data_root: str, subset: str) -> List[str]:
    """List the files that a folder lacks of a subset of AVSBench.

    Checked are the list, and the frames, masks and sounds of its clips; by
    name, without opening them. A log-mel file replaces a sound.

    Args:
        data_root: Folder of the data set.
        subset: 's4' or 'ms3'.

    Returns:
        One line per folder or file: the path and what belongs there.
    """
    root = Path(data_root)
    file = list_file(root, subset)
    if not root.is_dir():
        return [f'{root}: folder of AVSBench']
    if not file.exists():
        return [f'{file}: file of the published data set']
    try:
        clips = [clip for *_, clip in read_clips(file, subset) if clip]
    except InputError as error:
        return [str(error)]
    folder = root / f'{subset}_data'
    return [line for clip in clips for line in missing_of_clip(folder, clip)]


def missing_of_clip(folder: Path, clip: Clip) -> List[str]:
    """List the files that a clip lacks, one line per folder or file."""
    missing: List[str] = []
    masks = [mask for mask in clip.masks if mask is not None]
    for files, content in ((clip.frames, 'frames'), (masks, 'masks')):
        paths = [folder / file for file in files]
        missing += missing_files(
            paths[0].parent,
            [path.name for path in paths],
            f'{content} of the clip',
        )
    wav, log_mel = folder / clip.wav, folder / clip.log_mel
    if not os.path.isfile(wav) and not os.path.isfile(log_mel):
        missing.append(f'{wav}: sound of the clip, or {log_mel}')
    return missing
