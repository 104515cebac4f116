"""Write Ref-DAVIS17's raw layout, for the converter.

Two annotators describe every object after the first frame and after the whole
video. ``val`` has the videos of RefVOS-Mini's ``valid`` and ``test``, since
the real data set has no third split.
"""

from typing import Dict, List, Sequence

import numpy as np

from ...datasets.ref_davis17_constants import ANNOTATORS, VOID
from ..expressions import Expression
from ..video import MiniVideo
from .base import Record, Writer
from .files import write_bytes, write_jpeg, write_mask

SPLIT_NAMES = {'train': 'train', 'valid': 'val', 'test': 'val'}
# Pixels; the background in this lower right corner becomes void.
VOID_SIDE = 6


class RefDAVIS17Writer(Writer):
    """Write Ref-DAVIS17's raw layout."""

    made = ('DAVIS', 'davis_text_annotations')

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.names: Dict[str, List[str]] = {'train': [], 'val': []}
        self.lines: Dict[str, List[str]] = {a: [] for a in ANNOTATORS}

    def write_video(self, split: str, video: MiniVideo) -> Record:
        frames = self.root / 'DAVIS/JPEGImages/480p' / video.name
        masks = self.root / 'DAVIS/Annotations_unsupervised/480p' / video.name
        for folder in (frames, masks):
            folder.mkdir(parents=True, exist_ok=True)
        for index, (frame, ids) in enumerate(
            zip(video.rendering.frames, video.rendering.ids, strict=True)
        ):
            # DAVIS numbers every frame.
            write_jpeg(frames / f'{index:05d}.jpg', frame)
            write_mask(masks / f'{index:05d}.png', with_void(ids))
        lines: Dict[str, List[str]] = {a: [] for a in ANNOTATORS}
        for item in video.scene.objects:
            texts = describe(
                [e for e in video.expressions if e.object_id == item.id]
            )
            for annotator, text in zip(ANNOTATORS, texts, strict=True):
                lines[annotator].append(f'{video.name} {item.id} "{text}"')
        return {'name': video.name, 'lines': lines}

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        """Write the list of videos, and the expressions of all so far."""
        name = SPLIT_NAMES[split]
        self.names[name] += [record['name'] for record in records]
        lists = self.root / 'DAVIS/ImageSets/2017'
        texts = self.root / 'davis_text_annotations'
        for folder in (lists, texts):
            folder.mkdir(parents=True, exist_ok=True)
        content = ''.join(f'{video}\n' for video in self.names[name])
        write_bytes(lists / f'{name}.txt', content.encode())
        for annotator in ANNOTATORS:
            for record in records:
                self.lines[annotator] += record['lines'][annotator]
            write_bytes(
                texts / f'Davis17_{annotator}.txt',
                encode(self.lines[annotator], annotator),
            )


def with_void(ids: np.ndarray) -> np.ndarray:
    """Make a corner of the background of an id map (H, W) void."""
    marked = ids.copy()
    corner = marked[-VOID_SIDE:, -VOID_SIDE:]
    corner[corner == 0] = int(VOID)
    return marked


def describe(expressions: Sequence[Expression]) -> List[str]:
    """Choose four expressions for an object, in the order of ``ANNOTATORS``.

    Those written after the first frame do not mention motion if the object
    has others; expressions are taken in turn.
    """
    seen_first = [e for e in expressions if e.kind != 'motion']
    seen_all = [e for e in expressions if e.kind == 'motion']
    first = [e.text for e in seen_first or expressions]
    whole = [e.text for e in [*seen_all, *reversed(seen_first)]]
    return [
        first[0],
        whole[0],
        first[1 % len(first)],
        whole[1 % len(whole)],
    ]


def encode(lines: Sequence[str], annotator: str) -> bytes:
    """Encode lines in UTF-8, or the second annotator's in Latin-1.

    As in the real files. A no-break space makes the encodings differ;
    cleaning the text folds it.
    """
    text = ''.join(f'{line}\n' for line in lines)
    if annotator.startswith('annot2'):
        text = text.replace('"the ', '"the\xa0')
        return text.encode('latin-1')
    return text.encode()
