"""Read image files, and name those that cannot be read."""

import io
from contextlib import contextmanager
from typing import Iterator, Optional, Tuple

import mmcv
import mmengine.fileio as fileio
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import InputError

# Of EXIF: values from 5 on say that the image lies on its side.
ORIENTATION = 0x0112
SIDEWAYS = 5


def read_bytes(path: str, what: str, backend_args: Optional[dict]) -> bytes:
    """Read a file that must be there."""
    try:
        return fileio.get(path, backend_args=backend_args)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, 'file', 'missing', what) from None
    except OSError as error:
        raise InputError.of(path, 'file', error.strerror, what) from None


@contextmanager
def broken_images_named(
    path: str, what: str = 'a whole image'
) -> Iterator[None]:
    """Name an image that cannot be decoded, and what was expected."""
    try:
        yield
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise InputError.of(path, 'content', str(error), what) from None


def read_image(path: str, backend_args: Optional[dict] = None) -> np.ndarray:
    """Decode an image at its own size; RGB, uint8, (H, W, 3).

    Pillow decodes it: OpenCV fills up a truncated JPEG with grey and says
    nothing.

    Raises:
        InputError: The file is missing or is no whole image.
    """
    content = read_bytes(path, 'a frame', backend_args)
    with broken_images_named(path):
        return mmcv.imfrombytes(content, channel_order='rgb', backend='pillow')


def image_size(path: str) -> Tuple[int, int]:
    """Read (height, width) of an image as :func:`read_image` gives it.

    Only the header is decoded.

    Raises:
        InputError: The file is missing or is no image.
    """
    content = read_bytes(path, 'a frame', None)
    with broken_images_named(path), Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION, 1) >= SIDEWAYS:
            width, height = height, width
    return height, width


def decode_id_map(content: bytes, path: str) -> np.ndarray:
    """Decode an image whose values are object ids; (H, W).

    Args:
        content: Of the file.
        path: Names it in messages.

    Raises:
        InputError: The image is broken or in colour.
    """
    with (
        broken_images_named(path, 'a whole palette PNG'),
        Image.open(io.BytesIO(content)) as image,
    ):
        ids = np.array(image)
        mode = image.mode
    if ids.ndim != 2:
        raise InputError.of(
            path,
            'mode',
            mode,
            'a palette (P) or grey (L) image whose values are object ids',
        )
    return ids
