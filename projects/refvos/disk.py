"""Report a disk that takes no more in one line that names the file."""

import errno
import os
import shutil
from contextlib import contextmanager
from typing import Any, Iterator, Optional

from .errors import describe

# Full, over a quota, over the largest size of a file, read-only.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def is_disk_error(error: BaseException) -> bool:
    """Tell whether an error says that nothing more can be written."""
    return isinstance(error, OSError) and error.errno in DISK_ERRORS


@contextmanager
def writing(path: Any, whole: bool = False) -> Iterator[None]:
    """Name what is being written in the errors of a full disk.

    The error of a write itself names no file.

    Args:
        path: File or folder that is written.
        whole: Name it even if the error names a file: a temporary one, which
            is gone when the error is read.

    Raises:
        OSError: The disk is full; its ``filename`` is set.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_error(error) or (error.filename and not whole):
            raise
        # The filename of PyAV's errors cannot be set.
        raise OSError(error.errno, error.strerror, str(path)) from error


def disk_line(error: BaseException) -> Optional[str]:
    """Say in one line what could not be written; None for other errors."""
    if not isinstance(error, OSError) or not is_disk_error(error):
        return None
    if not isinstance(error.filename, (str, bytes, os.PathLike)):
        return describe('output', 'disk', error.strerror, 'room to write')
    path = os.fsdecode(error.filename)
    return describe(
        path,
        'free space',
        f'{free_bytes(path) / 1e6:.1f} MB',
        f'room for all that is written ({error.strerror})',
    )


def free_bytes(path: str) -> int:
    """Return the free space of the file system of a path."""
    place = os.path.abspath(path)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return shutil.disk_usage(place).free
