"""Read image files; errors name the file and what was expected of it."""

import io
from contextlib import contextmanager
from typing import Iterator, Optional, Tuple

import mmcv
import mmengine.fileio as fileio
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputError

# EXIF tag; from value 5 on, width and height of the stored image change
# places when it is shown.
ORIENTATION = 0x0112
SIDEWAYS = 5


def read_bytes(
    path: str, expected: str, backend_args: Optional[dict] = None
) -> bytes:
    """Read a whole file.

    Args:
        path: Its path or address.
        expected: What the file is, for messages.
        backend_args: Arguments of mmengine's file backends.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    try:
        return fileio.get(path, backend_args=backend_args)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, 'file', 'missing', expected) from None
    except OSError as error:
        raise InputError.of(path, 'file', error.strerror, expected) from None


@contextmanager
def broken_images_named(
    path: str, expected: str = 'a whole image'
) -> Iterator[None]:
    """Turn Pillow's errors into an InputError that names the file."""
    try:
        yield
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise InputError.of(path, 'content', str(error), expected) from None


def read_image(path: str, backend_args: Optional[dict] = None) -> np.ndarray:
    """Decode an image at its own size.

    Pillow decodes it: OpenCV fills the missing part of a truncated JPEG with
    grey and reports no error.

    Args:
        path: The image file.
        backend_args: Arguments of mmengine's file backends.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: The file is missing or not a whole image.
    """
    content = read_bytes(path, 'a frame', backend_args)
    with broken_images_named(path):
        return mmcv.imfrombytes(content, channel_order='rgb', backend='pillow')


def read_reduced_image(
    path: str, min_side: int, backend_args: Optional[dict] = None
) -> Tuple[np.ndarray, Tuple[int, int]]:
    """Decode a JPEG at a half, a quarter or an eighth of its size.

    The smallest of them whose shorter side is at least ``min_side``; images
    that are too small for that, or no JPEGs, are decoded at their own size.

    Args:
        path: The image file.
        min_side: Least length of the shorter side, in pixels.
        backend_args: Arguments of mmengine's file backends.

    Returns:
        (h, w, 3) uint8, RGB, and the image's own size (H, W).

    Raises:
        InputError: The file is missing or not a whole image.
    """
    content = read_bytes(path, 'a frame', backend_args)
    with broken_images_named(path), Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        factors = [
            factor
            for factor in (2, 4, 8)
            if min(width, height) // factor >= min_side
        ]
        if not factors or image.format != 'JPEG':
            whole = read_image(path, backend_args)
            return whole, whole.shape[:2]
        image.draft('RGB', (width // factors[-1], height // factors[-1]))
        upright = ImageOps.exif_transpose(image.convert('RGB'))
        pixels = np.asarray(upright)
    if (width < height) != (upright.width < upright.height):
        width, height = height, width
    return pixels, (height, width)


def image_size(path: str) -> Tuple[int, int]:
    """Read (height, width) of an image as :func:`read_image` gives it.

    Only the header is decoded.

    Raises:
        InputError: The file is missing or not an image.
    """
    content = read_bytes(path, 'a frame')
    with broken_images_named(path), Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION, 1) >= SIDEWAYS:
            width, height = height, width
    return height, width


def decode_id_map(content: bytes, path: str) -> np.ndarray:
    """Decode an image whose values are object ids.

    Args:
        content: The encoded image.
        path: Its file, for messages.

    Returns:
        (H, W), integers.

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
