"""Write small data sets in Ref-YouTube-VOS's layout."""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from refvos.mini.writers.files import write_jpeg, write_mask

# A window of five frames around the annotated one.
WINDOW_STEPS: List[Dict[str, Any]] = [
    {'type': 'SampleWindow', 'num_frames': 5},
    {'type': 'LoadFrames'},
    {'type': 'LoadTubes', 'as_rle': True},
    {'type': 'PackRefInputs'},
]

Expressions = Dict[str, Tuple[object, Optional[str]]]


def square(
    size: Tuple[int, int], top: int, left: int, side: int = 8, value: int = 1
) -> np.ndarray:
    """Return object ids (H, W) with one square."""
    ids = np.zeros(size, np.uint8)
    ids[top : top + side, left : left + side] = value
    return ids


def paint(ids: np.ndarray) -> np.ndarray:
    """Draw an RGB frame: white objects on a dark horizontal ramp."""
    height, width = ids.shape
    ramp = np.linspace(0, 90, width).astype(np.uint8)
    frame = np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()
    frame[ids > 0] = 255
    return frame


def write_frames(
    root: Path, split: str, name: str, frames: List[np.ndarray]
) -> List[str]:
    """Write a video's JPEGs and masks; return the frames' names."""
    names = [f'{5 * index:05d}' for index in range(len(frames))]
    for folder, write, suffix, images in (
        ('JPEGImages', write_jpeg, 'jpg', [paint(ids) for ids in frames]),
        ('Annotations', write_mask, 'png', frames),
    ):
        target = root / split / folder / name
        target.mkdir(parents=True, exist_ok=True)
        for frame, image in zip(names, images, strict=True):
            write(target / f'{frame}.{suffix}', image)
    return names


def write_lists(
    root: Path,
    split: str,
    videos: Dict[str, Tuple[List[str], Expressions]],
    categories: Optional[Dict[str, str]] = None,
) -> None:
    """Write ``meta_expressions.json`` and, with categories, ``meta.json``.

    Args:
        root: The data set's folder.
        split: 'train', 'valid' or 'test'.
        videos: Name -> names of the frames, expressions (text, object id).
        categories: Object id -> category, the same in all videos.
    """
    described = {}
    for name, (frames, expressions) in videos.items():
        described[name] = {
            'frames': frames,
            'expressions': {
                id: {'exp': text}
                if object_id is None
                else {'exp': text, 'obj_id': object_id}
                for id, (text, object_id) in expressions.items()
            },
        }
    folder = root / 'meta_expressions' / split
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'meta_expressions.json').write_text(
        json.dumps({'videos': described})
    )
    if categories is None:
        return
    objects = {
        id: {'category': category} for id, category in categories.items()
    }
    (root / split).mkdir(exist_ok=True)
    (root / split / 'meta.json').write_text(
        json.dumps({'videos': {name: {'objects': objects} for name in videos}})
    )
