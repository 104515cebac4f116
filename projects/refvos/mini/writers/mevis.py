"""Write MeViS's layout, in a folder ``mevis``.

Besides the expressions for single objects there are some for all objects that
share an attribute or a motion. As in the real data set, the masks are a file
of run-length encodings, and ``valid`` has none.
"""

from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from pycocotools import mask as rle_codec

from ..attributes import COLOURS, FILLS, KINDS, SIZES
from ..claims import Motion, Noun
from ..facts import Facts
from ..video import MiniVideo
from .base import Record, Writer
from .files import write_jpeg, write_json

SPLIT_NAMES = {'train': 'train', 'valid': 'valid_u', 'test': 'valid'}
GENERIC = ('objects', 'shapes', 'things')
PLURALS = {kind: f'{kind}es' if kind == 'cross' else f'{kind}s'
           for kind in KINDS}  # fmt: skip
MOTIONS = {
    'still': 'that do not move',
    'moving': 'that are moving',
    'sideways': 'moving sideways',
    'vertical': 'moving vertically',
    'circling': 'going round and round',
}
KIND_OF_EXPRESSION = 'several'


class Group(NamedTuple):
    """Several objects with a common expression."""

    text: str
    object_ids: Tuple[str, ...]


class MeViSWriter(Writer):
    """Write MeViS's layout."""

    made = ('mevis',)

    def write_video(self, split: str, video: MiniVideo) -> Record:
        folder = self.root / 'mevis' / SPLIT_NAMES[split] / 'JPEGImages'
        (folder / video.name).mkdir(parents=True, exist_ok=True)
        names = [f'{time:05d}' for time in range(len(video.frame_names))]
        for name, frame in zip(names, video.rendering.frames, strict=True):
            write_jpeg(folder / video.name / f'{name}.jpg', frame)
        expressions = [
            {
                'exp': expression.text,
                'obj_id': [expression.object_id],
                'kind': expression.kind,
            }
            for expression in video.expressions
            if expression.object_id is not None
        ]
        expressions += [
            {
                'exp': group.text,
                'obj_id': list(group.object_ids),
                'kind': KIND_OF_EXPRESSION,
            }
            for group in find_groups(video.facts)
        ]
        return {
            'name': video.name,
            'frames': names,
            'expressions': expressions,
            'tubes': {
                item.id: encode_tube(video.rendering.ids == int(item.id))
                for item in video.scene.objects
            },
        }

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        """Number the objects of all videos and write the lists."""
        folder = self.root / 'mevis' / SPLIT_NAMES[split]
        public = SPLIT_NAMES[split] != 'valid'
        videos: Record = {}
        tubes: Record = {}
        for number, record in enumerate(records):
            anno_ids: Dict[str, int] = {}
            for object_id, tube in record['tubes'].items():
                anno_ids[object_id] = len(tubes)
                tubes[str(len(tubes))] = tube
            videos[record['name']] = {
                'vid_id': number,
                'frames': record['frames'],
                'expressions': {
                    str(index): number_objects(expression, anno_ids)
                    if public
                    else {'exp': expression['exp']}
                    for index, expression in enumerate(record['expressions'])
                },
            }
        write_json(folder / 'meta_expressions.json', {'videos': videos})
        if public:
            write_json(folder / 'mask_dict.json', tubes)


def number_objects(expression: Record, anno_ids: Dict[str, int]) -> Record:
    """Number an expression's objects from 0, and its masks by anno_id."""
    return {
        **expression,
        'obj_id': [int(id) - 1 for id in expression['obj_id']],
        'anno_id': [anno_ids[id] for id in expression['obj_id']],
    }


def encode_tube(masks: np.ndarray) -> List[object]:
    """Encode masks (T, H, W) as RLEs, None for empty ones."""
    tube: List[object] = []
    for mask in masks:
        if not mask.any():
            tube.append(None)
            continue
        rle = rle_codec.encode(np.asfortranarray(mask, np.uint8))
        tube.append({**rle, 'counts': rle['counts'].decode()})
    return tube


def find_groups(facts: Facts) -> List[Group]:
    """Find all groups of two or more objects with equal looks or motion.

    Motions that are open to debate for any object are left out.
    """
    nouns = [
        *((f'{colour} {{}}', Noun(colour=colour)) for colour in COLOURS),
        *((PLURALS[kind], Noun(kind=kind)) for kind in KINDS),
        *((f'{fill} {{}}', Noun(fill=fill)) for fill in FILLS[1:]),
        *((f'{size} {{}}', Noun(size=size)) for size in SIZES),
    ]
    members = [(text, noun.candidates(facts)) for text, noun in nouns]
    everything = range(len(facts.objects))
    for motion, text in MOTIONS.items():
        verdicts = Motion(motion).judge(facts, everything)
        if None not in verdicts:
            rows = [row for row in everything if verdicts[row]]
            members.append((f'{{}} {text}', rows))
    groups: List[Group] = []
    for text, rows in members:
        if len(rows) > 1:
            generic = GENERIC[len(groups) % len(GENERIC)]
            groups.append(
                Group(
                    f'the {text.format(generic)}',
                    tuple(facts.objects[row].id for row in rows),
                )
            )
    return groups
