"""Check before the work that its results can be written."""

import os
from pathlib import Path
from typing import Optional

from ..errors import InputError
from .local_files import PathLike

# In bytes, of usual file systems.
LONGEST_NAME = 255


def check_writable_folder(path: PathLike, option: str) -> None:
    """Refuse a folder that does not exist and cannot be made, or read-only.

    Args:
        path: The folder.
        option: What named it, for messages.

    Raises:
        InputError: It is a file or below one, or not writable, or no file
            can have its name.
    """
    found = obstacle(Path(path).absolute())
    if found is not None:
        raise InputError.of(path, option, found, 'a folder to write to')


def obstacle(folder: Path) -> Optional[str]:
    """Say why nothing can be written to a folder; None if it can."""
    for part in folder.parts:
        if '\0' in part:
            return 'a name with a null character'
        if len(os.fsencode(part)) > LONGEST_NAME:
            return f'a name of {len(os.fsencode(part))} bytes'
    place = folder
    while not os.path.lexists(place):
        place = place.parent
    if not os.path.isdir(place):
        return 'a file' if place == folder else f'below the file {place}'
    if not os.access(place, os.W_OK | os.X_OK):
        return 'read-only'
    return None
