"""Read image files, and name those that cannot be read."""

from contextlib import contextmanager
from typing import Iterator, Optional

import mmcv
import mmengine.fileio as fileio
import numpy as np
from PIL import UnidentifiedImageError

from ..errors import InputError


def read_bytes(path: str, what: str, backend_args: Optional[dict]) -> bytes:
    """Read a file that must be there."""
    try:
        return fileio.get(path, backend_args=backend_args)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, 'file', 'missing', what) from None
    except OSError as error:
        raise InputError.of(path, 'file', error.strerror, what) from None


@contextmanager
def broken_images_named(path: str) -> Iterator[None]:
    """Say which image it was that can't be decoded."""
    try:
        yield
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise InputError.of(
            path, 'content', str(error), 'a whole image'
        ) from None


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
