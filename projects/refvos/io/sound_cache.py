"""Keep features of sounds on disk, so that each is computed once."""

import hashlib
import io
import json
import os
import os.path as osp
from typing import Any, Callable, Dict, Optional

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .atomic import remove_leftovers, write_atomically

DIGEST = hashlib.sha256().digest_size


class SoundCache:
    """A folder of features, by sound file and settings.

    A file whose size or time changes gets a new entry; old entries stay
    until the folder is removed. Several processes may use a folder at the
    same time, since entries are written atomically. Damaged entries are
    computed again.

    Args:
        folder: Created if it is missing.
    """

    def __init__(self, folder: str) -> None:
        self.folder = osp.expanduser(folder)
        remove_leftovers(self.folder)

    def get(
        self,
        source: str,
        settings: Dict[str, Any],
        make: Callable[[], Tensor],
    ) -> Tensor:
        """Read a sound's features, or compute and keep them.

        Args:
            source: The sound file; it must exist.
            settings: Everything else that the features depend on; plain
                data.
            make: Computes the features, a float32 tensor.

        Raises:
            InputError: The folder cannot be written.
        """
        path = self.entry(source, settings)
        found = read_entry(path)
        if found is not None:
            return found
        features = make()
        try:
            write_atomically(path, pack(features))
        except OSError as error:
            raise InputError.of(
                self.folder,
                'cache folder',
                error.strerror,
                'a folder that can be written',
            ) from error
        return features

    def entry(self, source: str, settings: Dict[str, Any]) -> str:
        """Return the path of a sound's entry."""
        source = osp.realpath(source)
        status = os.stat(source)
        key = [source, status.st_size, status.st_mtime_ns, settings]
        text = json.dumps(key, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()
        return osp.join(self.folder, f'{name}.features')


def pack(features: Tensor) -> bytes:
    """Encode features in numpy's format, after their checksum."""
    buffer = io.BytesIO()
    np.save(buffer, features.numpy(), allow_pickle=False)
    content = buffer.getvalue()
    return hashlib.sha256(content).digest() + content


def read_entry(path: str) -> Optional[Tensor]:
    """Read an entry; None if it is missing or damaged."""
    try:
        with open(path, 'rb') as file:
            entry = file.read()
    except OSError:
        return None
    digest, content = entry[:DIGEST], entry[DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        return None
    # numpy parses the header as Python: it can fail in any way.
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
        return torch.from_numpy(array)
    except Exception:
        return None
