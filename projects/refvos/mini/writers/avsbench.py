"""Write AVSBench's layouts: five frames with a second of sound each.

The mask of a frame is the union of all objects that sound in its second.
"""

import csv
import io
import wave
from pathlib import Path
from typing import ClassVar, List, Sequence, Tuple

import numpy as np
from PIL import Image

from ..seconds import SECONDS
from ..sound import Soundtrack, several_sources, single_source, sounding_mask
from ..timbres import SAMPLE_RATE
from ..video import MiniVideo
from .base import Record, Writer
from .files import write_bytes

SPLIT_NAMES = {'train': 'train', 'valid': 'val', 'test': 'test'}


class AVSBenchWriter(Writer):
    """Base class of the writers of S4 and MS3."""

    scenes = 'sound'
    # Columns of the list, folder of the files, name of the list.
    columns: ClassVar[Tuple[str, ...]]
    folder: ClassVar[str]
    list_name: ClassVar[str]

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.rows: List[Record] = []

    def draw_soundtrack(self, video: MiniVideo) -> Soundtrack:
        """Make the soundtrack of a video."""
        raise NotImplementedError

    def describe(
        self, split: str, video: MiniVideo, soundtrack: Soundtrack
    ) -> Record:
        """Return the clip's row of the list."""
        raise NotImplementedError

    def group_of(self, row: Record) -> str:
        """Return the clip's folder within those of sounds and of masks."""
        raise NotImplementedError

    def frame_path(self, row: Record, number: int) -> str:
        """Return the path of a frame, from 1, below ``visual_frames``."""
        raise NotImplementedError

    def labelled(self, split: str) -> range:
        """Return the seconds whose frames have a mask."""
        return range(SECONDS)

    def write_video(self, split: str, video: MiniVideo) -> Record:
        # Layouts without sounds do not need torch.
        from .log_mel import encode_log_mel

        split = SPLIT_NAMES[split]
        soundtrack = self.draw_soundtrack(video)
        row = self.describe(split, video, soundtrack)
        folder = self.root / self.folder
        group = self.group_of(row)
        for second, time in enumerate(soundtrack.times):
            path = folder / 'visual_frames' / self.frame_path(row, second + 1)
            write_into(path, encode_png(video.rendering.frames[time]))
        for second in self.labelled(split):
            mask = sounding_mask(video, soundtrack, second)
            write_into(
                folder / 'gt_masks' / group / video.name
                / f'{video.name}_{second + 1}.png',
                encode_png(255 * mask.astype(np.uint8)),
            )  # fmt: skip
        write_into(
            folder / 'audio_wav' / group / f'{video.name}.wav',
            encode_wav(soundtrack.waveform),
        )
        write_into(
            folder / 'audio_log_mel' / group / f'{video.name}.pkl',
            encode_log_mel(soundtrack.waveform),
        )
        return row

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        """Write the list of all splits so far; the last call completes it."""
        self.rows += records
        content = io.StringIO()
        table = csv.DictWriter(content, self.columns, lineterminator='\n')
        table.writeheader()
        table.writerows(self.rows)
        write_bytes(self.root / self.list_name, content.getvalue().encode())


class S4Writer(AVSBenchWriter):
    """Write S4: single sources; in training only frame 1 has a mask."""

    made = ('s4_data', 's4_meta_data.csv')
    folder, list_name = made
    columns = ('name', 'seconds', 'category', 'split')

    def draw_soundtrack(self, video: MiniVideo) -> Soundtrack:
        return single_source(video)

    def describe(
        self, split: str, video: MiniVideo, soundtrack: Soundtrack
    ) -> Record:
        ((kind,),) = set(soundtrack.sounding)
        return {
            'name': video.name,
            'seconds': SECONDS,
            'category': kind,
            'split': split,
        }

    def group_of(self, row: Record) -> str:
        return f'{row["split"]}/{row["category"]}'

    def frame_path(self, row: Record, number: int) -> str:
        name = row['name']
        return f'{self.group_of(row)}/{name}/{name}_{number}.png'

    def labelled(self, split: str) -> range:
        return range(1) if split == 'train' else range(SECONDS)


class MS3Writer(AVSBenchWriter):
    """Write MS3: several sources on and off; every frame has a mask."""

    made = ('ms3_data', 'ms3_meta_data.csv')
    folder, list_name = made
    columns = ('name', 'split')

    def draw_soundtrack(self, video: MiniVideo) -> Soundtrack:
        return several_sources(video)

    def describe(
        self, split: str, video: MiniVideo, soundtrack: Soundtrack
    ) -> Record:
        return {'name': video.name, 'split': split}

    def group_of(self, row: Record) -> str:
        return str(row['split'])

    def frame_path(self, row: Record, number: int) -> str:
        name = row['name']
        return f'{name}/{name}.mp4_{number}.png'


def write_into(path: Path, content: bytes) -> None:
    """Write a file; missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


def encode_png(image: np.ndarray) -> bytes:
    """Encode an RGB frame (H, W, 3) or a mask (H, W), uint8, as PNG."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, format='PNG')
    return content.getvalue()


def encode_wav(waveform: np.ndarray) -> bytes:
    """Encode (samples,) int16 as a mono WAV of 16 bits."""
    content = io.BytesIO()
    with wave.open(content, 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(waveform.astype('<i2').tobytes())
    return content.getvalue()
