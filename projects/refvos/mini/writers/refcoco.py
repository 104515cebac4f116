"""Write RefCOCO's layout: one image per video.

``coco/train2014`` has the images of all splits; RefCOCO, RefCOCO+ and RefCOCOg
are written in both published forms. Only expressions that a single frame
proves are written, none about motion. As in the real sets, those of RefCOCO+
mention looks only, not places.
"""

import json
import pickle
from pathlib import Path
from typing import Any, Dict, List, Sequence

import cv2
import numpy as np
from pycocotools import mask as rle_codec

from ..attributes import KINDS
from ..expressions import Expression
from ..facts import Facts
from ..scene import SPLITS
from ..video import MiniVideo
from .base import Record, Writer
from .files import write_bytes, write_jpeg, write_json

# Set -> name of the division into splits, kinds of its expressions.
SETS = {
    'refcoco': ('unc', ('appearance', 'place', 'relation', 'order')),
    'refcoco+': ('unc', ('appearance',)),
    'refcocog': ('umd', ('appearance', 'place', 'relation', 'order')),
}
# Half of the test images are RefCOCO's testA, the others testB.
SPLIT_NAMES = {'train': ('train',), 'valid': ('val',)}
TEST_SPLITS = {'unc': ('testA', 'testB'), 'umd': ('test',)}
# Ids of images count from 1 in each split; each image has ten ids of objects.
IMAGES_PER_SPLIT = 1_000_000
OBJECTS_PER_IMAGE = 10
# Visible pixels that an object must have to be referred to.
SMALLEST_AREA = 24
# Outlines are traced on masks enlarged by this factor.
FINENESS = 8


class RefCOCOWriter(Writer):
    """Write RefCOCO's layout in both forms."""

    made = ('coco',)

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.records: List[Record] = []

    def write_video(self, split: str, video: MiniVideo) -> Record:
        time = len(video.frame_names) // 2
        number = (
            SPLITS.index(split) * IMAGES_PER_SPLIT
            + int(video.name.rpartition('_')[2])
            + 1
        )
        frame = video.rendering.frames[time]
        name = f'COCO_train2014_{number:012d}.jpg'
        folder = self.root / 'coco/train2014'
        folder.mkdir(parents=True, exist_ok=True)
        write_jpeg(folder / name, frame)
        image = {
            'id': number,
            'file_name': name,
            'height': frame.shape[0],
            'width': frame.shape[1],
        }
        annotations = [
            describe(
                video.rendering.ids[time] == int(item.id),
                KINDS.index(item.kind) + 1,
                number,
                OBJECTS_PER_IMAGE * number + int(item.id),
            )
            for item, areas in zip(
                video.scene.objects, video.facts.areas, strict=True
            )
            if areas[time]
        ]
        sentences = [
            {
                'ann_id': OBJECTS_PER_IMAGE * number
                + int(str(expression.object_id)),
                'sent': expression.text,
                'kind': expression.kind,
            }
            for expression in video.expressions
            if is_proven(expression, video.facts, time)
        ]
        return {
            'split': split,
            'image': image,
            'annotations': annotations,
            'sentences': sentences,
        }

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        """Write the lists of all splits so far; complete after the last."""
        self.records += records
        for name, (splitter, kinds) in SETS.items():
            folder = self.root / 'coco' / name
            folder.mkdir(parents=True, exist_ok=True)
            refs = self.collect_refs(name, splitter, kinds)
            write_json(
                folder / 'instances.json', as_coco(self.records, refs, False)
            )
            write_pickle(folder / f'refs({splitter}).p', refs)
            for part in splits_of(split, splitter):
                chosen = [ref for ref in refs if ref['split'] == part]
                write_json(
                    folder / f'instances_{name}_{part}.json',
                    as_coco(self.records, chosen, True),
                )

    def collect_refs(
        self, name: str, splitter: str, kinds: Sequence[str]
    ) -> List[Dict[str, Any]]:
        """Collect one entry per object, as in ``refs(...).p``."""
        refs: Dict[int, Dict[str, Any]] = {}
        sent_id = 0
        for record in self.records:
            image = record['image']
            parts = splits_of(record['split'], splitter)
            for sentence in record['sentences']:
                if sentence['kind'] not in kinds:
                    continue
                ref = refs.setdefault(
                    sentence['ann_id'],
                    {
                        'ref_id': len(refs),
                        'ann_id': sentence['ann_id'],
                        'category_id': category_of(record, sentence['ann_id']),
                        'image_id': image['id'],
                        # As in the real files, with a number appended.
                        'file_name': image['file_name'].replace(
                            '.jpg', f'_{len(refs)}.jpg'
                        ),
                        'split': parts[image['id'] % len(parts)],
                        'sentences': [],
                        'sent_ids': [],
                    },
                )
                ref['sent_ids'].append(sent_id)
                ref['sentences'].append(
                    {
                        'tokens': sentence['sent'].split(),
                        'raw': sentence['sent'],
                        'sent_id': sent_id,
                        'sent': sentence['sent'],
                        'kind': sentence['kind'],
                    }
                )
                sent_id += 1
        return list(refs.values())


def splits_of(split: str, splitter: str) -> Sequence[str]:
    """Return the names of a split of RefVOS-Mini in a set."""
    return SPLIT_NAMES.get(split) or TEST_SPLITS[splitter]


def category_of(record: Record, ann_id: int) -> int:
    """Return the category id of an annotation."""
    (category,) = (
        annotation['category_id']
        for annotation in record['annotations']
        if annotation['id'] == ann_id
    )
    return int(category)


def is_proven(expression: Expression, facts: Facts, time: int) -> bool:
    """Tell whether an expression singles out its object in one frame.

    Only objects that are visible in the frame count; motion never does.
    """
    if expression.kind == 'motion':
        return False
    seen = [
        row
        for row, areas in enumerate(facts.areas)
        if areas[time] >= SMALLEST_AREA
    ]
    at_once = Facts(
        tuple(facts.objects[row] for row in seen),
        facts.areas[seen, time : time + 1],
        facts.centres[seen, time : time + 1],
        facts.aspect,
    )
    found = expression.description.singled_out(at_once)
    return (
        found is not None and at_once.objects[found].id == expression.object_id
    )


def describe(
    mask: np.ndarray, category: int, image: int, id: int
) -> Dict[str, Any]:
    """Make an object's annotation in COCO's form."""
    rows, columns = mask.nonzero()
    top, left = int(rows.min()), int(columns.min())
    return {
        'id': id,
        'image_id': image,
        'category_id': category,
        'iscrowd': 0,
        'area': int(mask.sum()),
        'bbox': [
            left,
            top,
            int(columns.max()) + 1 - left,
            int(rows.max()) + 1 - top,
        ],
        'segmentation': outline(mask),
    }


def outline(mask: np.ndarray) -> Any:
    """Return polygons that give exactly this mask; else an RLE."""
    fine = np.kron(mask, np.ones((FINENESS, FINENESS), bool))
    contours, _ = cv2.findContours(
        fine.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    polygons = [
        # OpenCV's contours pass through the centres of pixels.
        ((contour.ravel() + 0.5) / FINENESS).tolist()
        for contour in contours
    ]
    drawn = rle_codec.decode(
        rle_codec.merge(rle_codec.frPyObjects(polygons, *mask.shape))
    )
    if (drawn == mask).all():
        return polygons
    return {'size': list(mask.shape), 'counts': count_runs(mask)}


def count_runs(mask: np.ndarray) -> List[int]:
    """Count the runs of 0 and 1 in turn, column by column."""
    flat = np.concatenate([[0], mask.ravel(order='F').astype(np.int8)])
    changes = np.flatnonzero(np.diff(flat))
    ends = [0, *changes.tolist(), mask.size]
    return np.diff(ends).tolist()


def as_coco(
    records: Sequence[Record], refs: Sequence[Dict[str, Any]], one_each: bool
) -> Dict[str, Any]:
    """Describe the images and objects of references in COCO's form.

    Args:
        records: Records of all images.
        refs: Entries from :meth:`RefCOCOWriter.collect_refs`.
        one_each: Make an image entry with ``caption`` and a copy of the
            annotation for every expression; else list every image and its
            objects once.
    """
    named = {ref['image_id'] for ref in refs}
    used = [r for r in records if r['image']['id'] in named]
    images = {r['image']['id']: r['image'] for r in used}
    annotations = {a['id']: a for r in used for a in r['annotations']}
    content: Dict[str, Any] = {
        'images': list(images.values()),
        'annotations': list(annotations.values()),
    }
    if one_each:
        content = {'images': [], 'annotations': []}
        for ref in refs:
            for sentence in ref['sentences']:
                id = sentence['sent_id']
                content['images'].append(
                    {
                        **images[ref['image_id']],
                        'id': id,
                        'original_id': ref['image_id'],
                        'caption': sentence['sent'],
                        'kind': sentence['kind'],
                    }
                )
                content['annotations'].append(
                    {
                        **annotations[ref['ann_id']],
                        'id': id,
                        'image_id': id,
                        'original_id': ref['ann_id'],
                    }
                )
    categories = [
        {'id': index + 1, 'name': kind, 'supercategory': 'shape'}
        for index, kind in enumerate(KINDS)
    ]
    return {**content, 'categories': categories}


def write_pickle(path: Path, content: Any) -> None:
    """Pickle plain data; equal data give equal bytes.

    A pickle distinguishes a shared string from two equal ones; after a round
    trip through JSON no string is shared.
    """
    plain = json.loads(json.dumps(content))
    write_bytes(path, pickle.dumps(plain, protocol=2))
