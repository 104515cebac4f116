"""Replace folders as a whole."""

import os
import shutil
from pathlib import Path


def replace_folder(new: Path, final: Path) -> None:
    """Rename ``new`` to ``final``, which may exist."""
    restore_folder(final)
    if not final.exists():
        os.replace(new, final)
        return
    old = _set_aside(final)
    os.replace(final, old)
    try:
        os.replace(new, final)
    except OSError:
        os.replace(old, final)
        raise
    shutil.rmtree(old)


def restore_folder(final: Path) -> None:
    """Undo what a kill between the two renames of a replacement left."""
    old = _set_aside(final)
    if old.exists() and not final.exists():
        os.replace(old, final)
    _remove(old)


def _set_aside(final: Path) -> Path:
    return final.with_name(f'.{final.name}.old')


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
