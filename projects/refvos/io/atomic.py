"""Write files and replace folders so that they are whole or not there."""

import hashlib
import os
import os.path as osp
import re
import shutil
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Union

from mmengine.fileio import LocalBackend, register_backend

from ..disk import writing

# Seconds. Whether a process of another machine is alive is unknown; no
# checkpoint takes a day to write.
FOREIGN_AGE = 24 * 3600.0
# Bytes of a file's name, on all common file systems.
LONGEST_NAME = 255


def _temporary(path: str) -> str:
    return f'{path}.tmp-{socket.gethostname()}-{os.getpid()}'


def write_atomically(path: Union[str, Path], content: bytes) -> None:
    """Write a file under a temporary name, then rename it.

    Until the rename, ``path`` does not change. The temporary file,
    ``<name>.tmp-<host>-<pid>``, is in the same folder;
    :func:`remove_leftovers` removes those of processes that were killed.

    Args:
        path: The file; missing folders are created.
        content: Its whole content.
    """
    path = osp.abspath(path)
    temporary = _temporary(path)
    with writing(path, whole=True):
        os.makedirs(osp.dirname(path), exist_ok=True)
        _write_and_rename(path, temporary, content)


def _write_and_rename(path: str, temporary: str, content: bytes) -> None:
    try:
        with open(temporary, 'wb') as file:
            file.write(content)
            file.flush()
            # Otherwise a crash of the machine may leave an empty file under
            # the final name.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if osp.exists(temporary):
            os.remove(temporary)
        raise


@register_backend('refvos_atomic', force=True)
class AtomicLocalBackend(LocalBackend):
    """Write mmengine's local files atomically.

    For checkpoints:
    ``CheckpointHook(backend_args=dict(backend='refvos_atomic'))``.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write ``obj`` to ``filepath``."""
        write_atomically(filepath, obj)

    def put_text(
        self, obj: str, filepath: Union[str, Path], encoding: str = 'utf-8'
    ) -> None:
        """Write a text to ``filepath``."""
        write_atomically(filepath, obj.encode(encoding))


def _is_alive(pid: int) -> bool:
    if os.name == 'nt':  # os.kill would end the process there.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_stale(path: Path, host: str, pid: int) -> bool:
    """Tell whether the process that writes a file or folder has ended."""
    if host == socket.gethostname():
        return not _is_alive(pid)
    return time.time() - path.stat().st_mtime > FOREIGN_AGE


def remove_leftovers(folder: str) -> List[str]:
    """Remove temporary files whose writers were killed.

    Only files with the names of :func:`write_atomically`: those of this
    machine whose process has ended, and those of other machines that are
    older than a day.

    Args:
        folder: The folder, without its subfolders.

    Returns:
        Paths of the removed files.
    """
    removed = []
    for entry in os.scandir(folder) if osp.isdir(folder) else ():
        match = re.fullmatch(r'.+\.tmp-(.+)-(\d+)', entry.name)
        if match is None or not entry.is_file():
            continue
        if is_stale(Path(entry.path), match[1], int(match[2])):
            os.remove(entry.path)
            removed.append(entry.path)
    return removed


def hidden_name(name: str, ending: str) -> str:
    """Return ``.<name><ending>``, with a hash for a name that is too long."""
    hidden = f'.{name}{ending}'
    if len(os.fsencode(hidden)) <= LONGEST_NAME:
        return hidden
    return f'.{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}{ending}'


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Make a folder to write to that takes its name when all is written.

    Those of earlier runs that were killed are removed.

    Args:
        final: The name; the folder may exist and is replaced.
    """
    ending = f'.{socket.gethostname()}-{os.getpid()}.partial'
    partial = final.with_name(hidden_name(final.name, ending))
    start = partial.name[: -len(ending)]
    for path in final.parent.glob('.*.partial'):
        match = re.fullmatch(r'\.(.+)-(\d+)\.partial', path.name[len(start) :])
        if not path.name.startswith(start) or match is None:
            continue
        if is_stale(path, match[1], int(match[2])):
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(partial, ignore_errors=True)
    with writing(final, whole=True):
        try:
            partial.mkdir(parents=True)
            yield partial
            replace_folder(partial, final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


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
    return final.with_name(hidden_name(final.name, '.old'))
