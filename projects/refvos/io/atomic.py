"""Write files and replace folders so that they are whole or not there."""

import os
import os.path as osp
import re
import shutil
import socket
import time
from pathlib import Path
from typing import List, Union

from mmengine.fileio import LocalBackend, register_backend

# Another machine's process can't be asked whether it lives; nothing writes
# one checkpoint for a day.
FOREIGN_AGE = 24 * 3600.0


def _temporary(path: str) -> str:
    return f'{path}.tmp-{socket.gethostname()}-{os.getpid()}'


def write_atomically(path: Union[str, Path], content: bytes) -> None:
    """Write a file under a temporary name and rename it when it is whole.

    Whatever happens before the rename, ``path`` stays as it was. The
    temporary file, ``<name>.tmp-<host>-<pid>``, lies in the same folder;
    :func:`remove_leftovers` clears away those of processes that were killed.

    Args:
        path: The file; its folder is made if need be.
        content: All of it.
    """
    path = osp.abspath(path)
    os.makedirs(osp.dirname(path), exist_ok=True)
    temporary = _temporary(path)
    try:
        with open(temporary, 'wb') as file:
            file.write(content)
            file.flush()
            # Without it, a machine that goes down can leave a renamed file
            # with nothing in it.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if osp.exists(temporary):
            os.remove(temporary)
        raise


@register_backend('refvos_atomic', force=True)
class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written atomically.

    ``CheckpointHook(backend_args=dict(backend='refvos_atomic'))`` makes
    mmengine save its checkpoints this way.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write ``obj`` to ``filepath``."""
        write_atomically(filepath, obj)

    def put_text(
        self, obj: str, filepath: Union[str, Path], encoding: str = 'utf-8'
    ) -> None:
        """Write a text to ``filepath``."""
        write_atomically(filepath, obj.encode(encoding))


def _process_lives(pid: int) -> bool:
    if os.name == 'nt':  # os.kill would end the process there.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remove_leftovers(folder: str) -> List[str]:
    """Remove temporary files whose writers were killed.

    Only names that :func:`write_atomically` makes: of this machine when the
    process is gone, of other machines when older than a day.

    Args:
        folder: Where to look, not deeper.

    Returns:
        The files removed.
    """
    removed = []
    for entry in os.scandir(folder) if osp.isdir(folder) else ():
        match = re.fullmatch(r'.+\.tmp-(.+)-(\d+)', entry.name)
        if match is None or not entry.is_file():
            continue
        if match[1] == socket.gethostname():
            stale = not _process_lives(int(match[2]))
        else:
            stale = time.time() - entry.stat().st_mtime > FOREIGN_AGE
        if stale:
            os.remove(entry.path)
            removed.append(entry.path)
    return removed


def replace_folder(new: Path, final: Path) -> None:
    """Rename the folder ``new`` to ``final``, which may exist."""
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
    """Finish or undo a replacement that was killed between its renames."""
    old = _set_aside(final)
    if old.exists() and not final.exists():
        os.replace(old, final)
    remove_folder(old)


def remove_folder(folder: Path) -> None:
    """Remove a folder with its content, if it exists."""
    if folder.exists():
        shutil.rmtree(folder)


def _set_aside(final: Path) -> Path:
    return final.with_name(f'.{final.name}.old')
