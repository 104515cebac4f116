"""Write JHMDB-Sentences's layout: test videos with one person each.

A scene of RefVOS-Mini has several objects: each becomes the person of a video
of its own, which shares its frames with the others.
"""

import io
from pathlib import Path
from typing import Sequence

import cv2
import numpy as np
from scipy.io import savemat

from ..video import MiniVideo
from .base import Record, Writer
from .files import write_bytes, write_json

FRAMES = 'Rename_Images'
MASKS = 'puppet_mask'
LIST = 'jhmdb_sentences_samples_metadata.json'
ACTION = 'move'
# MATLAB's files start with a text of this length, in which scipy writes the
# time.
HEADER = b'MATLAB 5.0 MAT-file, RefVOS-Mini'.ljust(116)


class JHMDBWriter(Writer):
    """Write JHMDB-Sentences's layout, of the split ``test`` only."""

    made = (FRAMES, MASKS, LIST)

    def write_video(self, split: str, video: MiniVideo) -> Record:
        if split != 'test':
            return {'rows': []}
        folder = Path(FRAMES) / ACTION / video.name
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        frames, ids = video.rendering.frames, video.rendering.ids
        for number, frame in enumerate(frames, 1):
            write_png(self.root / folder / f'{number:05d}.png', frame)
        rows = []
        for item in video.scene.objects:
            name = f'{video.name}_{item.id}'
            masks = Path(MASKS) / ACTION / name / 'puppet_mask.mat'
            tube = ids == int(item.id)
            # The frame with most of its pixels.
            time = int(tube.sum((1, 2)).argmax())
            (self.root / masks).parent.mkdir(parents=True, exist_ok=True)
            write_puppet(self.root / masks, tube)
            text = next(
                each.text
                for each in video.expressions
                if each.object_id == item.id
            )
            frame = folder / f'{time + 1:05d}.png'
            rows.append([name, str(frame), str(masks), len(frames), text])
        return {'rows': rows}

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        if split != 'test':
            return
        rows = [row for record in records for row in record['rows']]
        write_json(self.root / LIST, rows)


def write_png(path: Path, frame: np.ndarray) -> None:
    """Write an RGB frame, (H, W, 3) uint8, as PNG."""
    ok, encoded = cv2.imencode('.png', frame[..., ::-1])
    if not ok:
        raise RuntimeError(f'{path}: OpenCV could not encode a PNG')
    write_bytes(path, encoded.tobytes())


def write_puppet(path: Path, tube: np.ndarray) -> None:
    """Write an object's masks, (T, H, W) bool, as ``part_mask`` (H, W, T)."""
    content = io.BytesIO()
    masks = tube.transpose(1, 2, 0).astype(np.uint8)
    savemat(content, {'part_mask': masks}, do_compression=True)
    write_bytes(path, HEADER + content.getvalue()[len(HEADER) :])
