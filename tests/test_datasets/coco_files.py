"""Write a small RefCOCO in both published forms."""

import json
import pickle
import struct
from pathlib import Path
from typing import Any, Optional

import numpy as np
from pycocotools import mask as rle_codec

from refvos.mini.writers.files import write_jpeg

# Image id -> height, width.
SIZES = {1: (20, 30), 2: (24, 16)}


def box_of(top: int, left: int, bottom: int, right: int, size) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


# COCO's annotation id -> mask.
MASKS = {
    11: box_of(3, 2, 9, 10, SIZES[1]),
    12: box_of(0, 0, 4, 5, SIZES[1]) | box_of(10, 20, 18, 29, SIZES[1]),
    13: box_of(0, 0, 20, 3, SIZES[1]),
    21: box_of(5, 5, 15, 12, SIZES[2]),
}
SEGMENTATIONS = {
    # Corners are at the outer sides of pixels, x before y.
    11: [[2, 3, 10, 3, 10, 9, 2, 9]],
    12: [
        [0, 0, 5, 0, 5, 4, 0, 4],
        [20, 10, 29, 10, 29, 18, 20, 18],
        # Two points have no area.
        [1, 1, 8, 8],
    ],
    # A crowd: three columns of 20 pixels, then the other 27.
    13: {'size': [20, 30], 'counts': [0, 60, 540]},
    21: {
        'size': [24, 16],
        'counts': rle_codec.encode(np.asfortranarray(MASKS[21], np.uint8))[
            'counts'
        ].decode(),
    },
}
# x, y, width, height as annotated, to fractions of pixels.
BOXES = {
    11: [2.25, 3.0, 7.5, 6.0],
    12: [0.0, 0.0, 29.0, 18.0],
    13: [0.0, 0.0, 3.0, 20.0],
    21: [5.0, 5.0, 7.0, 10.0],
}
IMAGE_OF = {11: 1, 12: 1, 13: 1, 21: 2}
CATEGORY_OF = {11: 1, 12: 90, 13: 1, 21: 90}
CATEGORIES = [
    {'id': 1, 'name': 'person'},
    {'id': 90, 'name': 'toothbrush'},
    {'id': 500, 'name': 'gnome'},
]
# Annotation, split, sentences.
REFS = [
    (11, 'train', ['the man  on the LEFT', 'left guy']),
    (13, 'train', ['all the people']),
    (12, 'val', ['two brushes']),
    (21, 'testA', ['a brush']),
]


def file_name(image: int) -> str:
    return f'COCO_train2014_{image:012d}.jpg'


def image_entry(image: int) -> dict:
    height, width = SIZES[image]
    return {
        'id': image,
        'file_name': file_name(image),
        'height': height,
        'width': width,
    }


def annotation_entry(id: int) -> dict:
    return {
        'id': id,
        'image_id': IMAGE_OF[id],
        'category_id': CATEGORY_OF[id],
        'segmentation': SEGMENTATIONS[id],
        'bbox': BOXES[id],
        'iscrowd': int(id == 13),
    }


def make_refs() -> list:
    refs, sent_id = [], 100
    for ref_id, (id, split, texts) in enumerate(REFS):
        sentences = []
        for text in texts:
            sentences.append({'sent_id': sent_id, 'raw': text, 'sent': text})
            sent_id += 1
        refs.append(
            {
                'ref_id': ref_id,
                'ann_id': id,
                'image_id': IMAGE_OF[id],
                'split': split,
                'category_id': CATEGORY_OF[id],
                # As published, with the reference's id appended.
                'file_name': f'{file_name(IMAGE_OF[id])[:-4]}_{ref_id}.jpg',
                'sentences': sentences,
            }
        )
    return refs


def write_images(root: Path) -> None:
    (root / 'train2014').mkdir(parents=True)
    for image, size in SIZES.items():
        frame = np.full((*size, 3), 40, np.uint8)
        write_jpeg(root / 'train2014' / file_name(image), frame)


def write_pickle_form(
    root: Path, name: str = 'refcoco', content: Optional[bytes] = None
) -> None:
    """Write ``refs(...).p``, from ``content`` or as Python 2 does."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    splitter = 'umd' if name == 'refcocog' else 'unc'
    if content is None:
        content = as_python2(make_refs())
    (folder / f'refs({splitter}).p').write_bytes(content)
    instances = {
        'images': [image_entry(image) for image in SIZES],
        'annotations': [annotation_entry(id) for id in MASKS],
        'categories': CATEGORIES,
    }
    (folder / 'instances.json').write_text(json.dumps(instances))


def write_coco_form(root: Path, name: str = 'refcoco') -> None:
    """Write ``instances_<name>_<split>.json``, one image per expression."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    tests = ('test',) if name == 'refcocog' else ('testA', 'testB')
    for split in ('train', 'val', *tests):
        images, annotations = [], []
        for ref in make_refs():
            if ref['split'] != split:
                continue
            for sentence in ref['sentences']:
                id = sentence['sent_id']
                images.append(
                    {
                        **image_entry(ref['image_id']),
                        'id': id,
                        'original_id': ref['image_id'],
                        'caption': sentence['sent'],
                    }
                )
                annotations.append(
                    {
                        **annotation_entry(ref['ann_id']),
                        'id': 7000 + id,
                        'image_id': id,
                        'original_id': ref['ann_id'],
                    }
                )
        content = {
            'images': images,
            'annotations': annotations,
            'categories': CATEGORIES,
        }
        (folder / f'instances_{name}_{split}.json').write_text(
            json.dumps(content)
        )


def as_python2(value: Any) -> bytes:
    """Pickle as Python 2 did, whose str is bytes (``SHORT_BINSTRING``)."""

    def encode(value):
        if isinstance(value, str):
            raw = value.encode('latin-1')
            return pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw
        if isinstance(value, int):
            return pickle.BININT + struct.pack('<i', value)
        if isinstance(value, list):
            items = b''.join(map(encode, value))
            return pickle.EMPTY_LIST + pickle.MARK + items + pickle.APPENDS
        pairs = b''.join(encode(k) + encode(v) for k, v in value.items())
        return pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS

    return pickle.PROTO + b'\x02' + encode(value) + pickle.STOP
