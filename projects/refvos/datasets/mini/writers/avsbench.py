"""AVSBench's layouts: five frames, a second of sound each, one mask each.

A clip's mask is the union of what sounds in its second.
"""

import csv
import io
import pickle
import re
import wave
from pathlib import Path
from typing import Any, ClassVar, List, Sequence, Tuple

import numpy as np
import torch
from PIL import Image

from ....models.encoders.log_mel import examples_per_second
from ..seconds import SECONDS
from ..sound import (
    Soundtrack,
    several_sources,
    single_source,
    sounding_mask,
)
from ..timbres import SAMPLE_RATE
from ..video import MiniVideo
from .base import Record, Writer
from .files import write_bytes

SPLIT_NAMES = {'train': 'train', 'valid': 'val', 'test': 'test'}
# What is left after rounding depends neither on threads nor on the machine.
LOG_MEL_DIGITS = 4


class AVSBenchWriter(Writer):
    """What the layouts of S4 and MS3 share."""

    scenes = 'sound'
    # Columns of the list; what lies beside the list has its name.
    columns: ClassVar[Tuple[str, ...]]
    folder: ClassVar[str]
    list_name: ClassVar[str]

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.rows: List[Record] = []

    def draw_soundtrack(self, video: MiniVideo) -> Soundtrack:
        raise NotImplementedError

    def describe(
        self, split: str, video: MiniVideo, soundtrack: Soundtrack
    ) -> Record:
        """The clip's row of the list."""
        raise NotImplementedError

    def group_of(self, row: Record) -> str:
        """The folder of the clip's sound and masks, below their kinds'."""
        raise NotImplementedError

    def frame_path(self, row: Record, number: int) -> str:
        """Where frame ``number``, from 1, lies below ``visual_frames``."""
        raise NotImplementedError

    def labelled(self, split: str) -> range:
        """The seconds whose frame has a mask."""
        return range(SECONDS)

    def write_video(self, split: str, video: MiniVideo) -> Record:
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
        """Write the list of all splits so far; the last one is whole."""
        self.rows += records
        content = io.StringIO()
        table = csv.DictWriter(content, self.columns, lineterminator='\n')
        table.writeheader()
        table.writerows(self.rows)
        write_bytes(self.root / self.list_name, content.getvalue().encode())


class S4Writer(AVSBenchWriter):
    """Single sources; training clips have the mask of frame 1 only."""

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
    """Several sources that go on and off; every frame has its mask."""

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
    """Write a file into a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


def encode_png(image: np.ndarray) -> bytes:
    """An RGB frame (H, W, 3) or a mask (H, W), uint8, as PNG."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, format='PNG')
    return content.getvalue()


def encode_wav(waveform: np.ndarray) -> bytes:
    """(samples,) int16 as a mono WAV of 16 bits."""
    content = io.BytesIO()
    with wave.open(content, 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(waveform.astype('<i2').tobytes())
    return content.getvalue()


def encode_log_mel(waveform: np.ndarray) -> bytes:
    """A pickled tensor (5, 1, 96, 64), as the real ones, of the WAV."""
    sound = torch.from_numpy(waveform / 32768.0)
    examples = examples_per_second(sound).numpy().astype(np.float64)
    rounded = examples.round(LOG_MEL_DIGITS).astype(np.float32)
    content = io.BytesIO()
    TensorPickler(content, protocol=3).dump(torch.from_numpy(rounded))
    return content.getvalue()


class TensorPickler(pickle.Pickler):
    """Gives equal tensors equal bytes.

    torch names a tensor's storage by its address.
    """

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, torch.storage.TypedStorage):
            return NotImplemented
        load, (content,) = obj.__reduce__()
        # A string in a pickle: X, four bytes of length, the string.
        name = re.search(rb'Storage\n(?:q.)?(X.{4}\d+)', content, re.DOTALL)
        if name is None:
            raise RuntimeError('torch pickles its storages in another way')
        return load, (content.replace(name[1], b'X\x01\x00\x00\x000'),)
