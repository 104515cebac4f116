"""Write files of RefVOS-Mini under a temporary name, then rename them.

Unlike ``io.atomic`` without waiting for the disk: an unfinished set is made
again as a whole.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import cv2
import numpy as np
from PIL import Image

from ...disk import writing

JPEG_QUALITY = 92


def davis_palette() -> list:
    """Compute DAVIS's palette of 256 colours as 768 numbers."""
    palette = np.zeros((256, 3), np.uint8)
    index = np.arange(256)
    for bit in range(8):
        for channel in range(3):
            value = (index >> (3 * bit + channel)) & 1
            palette[:, channel] |= (value << (7 - bit)).astype(np.uint8)
    return palette.ravel().tolist()


PALETTE = davis_palette()


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Give the name under which a file is written first; rename it then."""
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    with writing(path, whole=True):
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with temporary_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file; missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (json.dumps(content, indent=1) + '\n').encode())


def write_jpeg(path: Path, frame: np.ndarray) -> None:
    """Write an RGB frame, (H, W, 3) uint8, as JPEG."""
    ok, encoded = cv2.imencode(
        '.jpg', frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not ok:
        raise RuntimeError(f'{path}: OpenCV could not encode a JPEG')
    write_bytes(path, encoded.tobytes())


def write_mask(path: Path, ids: np.ndarray) -> None:
    """Write object ids, (H, W) uint8, as a palette PNG."""
    image = Image.fromarray(ids)
    image.putpalette(PALETTE)
    with temporary_file(path) as temporary:
        image.save(temporary, format='PNG')
