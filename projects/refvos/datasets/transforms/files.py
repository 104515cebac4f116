"""Files that a data set names and that must be there."""

from typing import Optional

import mmengine.fileio as fileio

from ...errors import InputError


def read_bytes(path: str, what: str, backend_args: Optional[dict]) -> bytes:
    """Read a file that must be there."""
    try:
        return fileio.get(path, backend_args=backend_args)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, 'file', 'missing', what) from None
    except OSError as error:
        raise InputError.of(path, 'file', error.strerror, what) from None
