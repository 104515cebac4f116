"""Write files of RefVOS-Mini under a temporary name, then rename them.

Unlike ``io.atomic`` without waiting for the disk: an unfinished set is made
again as a whole.
"""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

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


def temporary_name(path: Path) -> Path:
    """Return the name under which a file is written first."""
    return path.with_name(f'.{path.name}.{os.getpid()}')


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    temporary = temporary_name(path)
    temporary.write_bytes(content)
    os.replace(temporary, path)


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
    temporary = temporary_name(path)
    image.save(temporary, format='PNG')
    os.replace(temporary, path)
