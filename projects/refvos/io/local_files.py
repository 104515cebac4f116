"""Refuse local files that cannot be opened and read to their end."""

import os
import stat
from pathlib import Path

from ..errors import InputError
from .paths import PathLike

KINDS = (
    (stat.S_ISDIR, 'Is a directory'),
    (stat.S_ISFIFO, 'a named pipe'),
    (stat.S_ISSOCK, 'a socket'),
)


def check_regular(
    path: PathLike, expected: str, field: str = 'file'
) -> os.stat_result:
    """Refuse a path that does not name a regular file.

    Opening a named pipe waits until another process writes to it, and a
    device may have no end.

    Args:
        path: Path of a local file.
        expected: What the file is, for messages.
        field: What names the file, for messages.

    Returns:
        The file's status.

    Raises:
        InputError: Nothing, or no regular file, has this name, or none can
            have it (with a null character, too long, ...).
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, field, 'missing', expected) from None
    except OSError as error:
        raise InputError.of(path, field, error.strerror, expected) from None
    # A null character, or one that the file system cannot encode.
    except ValueError as error:
        raise InputError.of(path, field, str(error), expected) from None
    if not stat.S_ISREG(status.st_mode):
        kinds = [name for test, name in KINDS if test(status.st_mode)]
        raise InputError.of(path, field, (kinds or ['a device'])[0], expected)
    return status


def read_local_bytes(path: PathLike, expected: str) -> bytes:
    """Read a whole regular file.

    Raises:
        InputError: As :func:`check_regular`, or the file cannot be read.
    """
    check_regular(path, expected)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError.of(path, 'file', error.strerror, expected) from None
