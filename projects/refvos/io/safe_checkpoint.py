"""Read checkpoints without running what is in them.

A ``.pth`` file is a pickle, and a pickle can run any code when it is read.
Ours are read with a restricted unpickler and a list of what a checkpoint
needs; anything else is refused unless the user says that the file's source
is trusted. Check sums are compared wherever a file has them.
"""

import argparse
import io
import mmap
import os.path as osp
import struct
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Dict, Optional, Union

import numpy as np
import torch
from mmengine.fileio import get_file_backend
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import (
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)
from torch import Tensor

from ..errors import InputError, describe, short_repr
from .downloads import download
from .tensor_pickle import (
    File,
    Marker,
    NotAllowed,
    TensorUnpickler,
    TrustedUnpickler,
    load_tensors,
)
from .weights import CHECK_SUM, checkpoint_weights

MapLocation = Union[str, torch.device, Callable, None]

OBJECT_STORES = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://')
FILE_TYPES = 'a .pth, .pt or .safetensors file'

_trusted = False


def set_trust(trust: bool) -> None:
    """Set whether this process may read pickles that can run code.

    Applies to every way of loading: :func:`load_checkpoint_file`,
    ``Runner.load_checkpoint``, ``load_from``, ``resume`` and the
    ``Pretrained`` initialiser. The tools set it from
    ``--trust-checkpoint``; it is False by default.
    """
    global _trusted
    _trusted = trust


def load_checkpoint_file(
    path: str,
    map_location: MapLocation = 'cpu',
    trust: Optional[bool] = None,
) -> Dict[str, Any]:
    """Read a checkpoint from a local file.

    Args:
        path: A ``.safetensors`` file, or a ``.pth``/``.pt`` pickle.
        map_location: Device of the tensors, as in :func:`torch.load`.
            Safetensors are read to the CPU if it is a callable.
        trust: Read pickles without restriction; None uses the value of
            :func:`set_trust`.

    Returns:
        The checkpoint's dict; for safetensors the tensors by name.

    Raises:
        InputError: The file is missing or damaged, does not hold a dict, or
            names more than tensors and plain data without being trusted.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        found = 'a folder' if osp.isdir(path) else 'missing'
        raise InputError.of(path, 'checkpoint', found, FILE_TYPES)
    try:
        if path.endswith('.safetensors'):
            return _load_safetensors(path, map_location)
        with File(path) as file:
            return _load_pickle(file, path, map_location, trust)
    except OSError as error:
        raise _damaged(path, error) from error


def _load_safetensors(path: str, map_location: MapLocation) -> Dict[str, Any]:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    device = 'cpu'
    if isinstance(map_location, (str, torch.device)):
        device = str(map_location)
    try:
        with safe_open(path, 'pt') as file:
            written = (file.metadata() or {}).get(CHECK_SUM)
        if written not in (None, _sum_of_tensors(path)):
            raise SafetensorError('the check sum differs')
        return load_file(path, device=device)
    except SafetensorError as error:
        raise _damaged(path, error) from error


def read_meta(content: Dict[str, Any], path: str) -> Dict[str, Any]:
    """Return a checkpoint's short notes; {} if it has none.

    Args:
        content: What :func:`load_checkpoint_file` returns.
        path: Its file. The notes of a ``.safetensors`` file are read from
            its header.
    """
    if path.endswith('.safetensors'):
        from safetensors import safe_open

        with safe_open(osp.expanduser(path), 'pt') as file:
            return dict(file.metadata() or {})
    meta = content.get('meta')
    return meta if isinstance(meta, dict) else {}


def _sum_of_tensors(path: str) -> str:
    """Compute the check sum of what follows a safetensors file's header."""
    with (
        open(path, 'rb') as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as view,
    ):
        (size,) = struct.unpack('<Q', view[:8])
        with view[8 + size :] as tensors:
            return f'{zlib.crc32(tensors):08x}'


def _load_pickle(
    source: BinaryIO,
    name: str,
    map_location: MapLocation,
    trust: Optional[bool] = None,
) -> Dict[str, Any]:
    """Read a pickle from a file or from memory; ``name`` is for messages."""
    trust = _trusted if trust is None else trust
    unpickler = TrustedUnpickler if trust else CheckpointUnpickler
    try:
        content = load_tensors(source, unpickler, map_location)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except NotAllowed as error:
        raise InputError.of(
            name,
            'what the pickle wants',
            str(error),
            'tensors and plain data only; a file from a source that you '
            'trust is read with --trust-checkpoint',
        ) from error
    # A damaged pickle can fail with any exception whatever.
    except Exception as error:
        raise _damaged(name, error) from error
    if not isinstance(content, dict):
        raise InputError.of(
            name, 'content', type(content).__name__, 'a dict of weights'
        )
    return content


def _damaged(path: str, error: Exception) -> InputError:
    reason = f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')
    size = osp.getsize(path) if osp.isfile(path) else None
    return InputError(
        describe(path, 'size in bytes', size, 'a whole checkpoint')
        + f' (it cannot be read: {reason[:160]})'
    )


def _history_buffer_method(owner: Any, name: Any) -> str:
    """Stand in for ``getattr``, which would reach any module from anywhere.

    A ``HistoryBuffer`` is pickled with its methods ``min``, ``max``,
    ``current`` and ``mean`` as ``getattr(HistoryBuffer, name)``; it has them
    anyway.
    """
    if owner is not HISTORY or name not in ('min', 'max', 'current', 'mean'):
        raise NotAllowed(f'builtins.getattr({short_repr(name)})')
    return name


def _set_history(buffer: HistoryBuffer, state: Any) -> None:
    """Fill a log history with its numbers."""
    longest = state['max_length']
    histories = [state['_log_history'], state['_count_history']]
    if not isinstance(longest, int) or not all(
        isinstance(each, np.ndarray)
        and each.ndim == 1
        and each.dtype.kind in 'biuf'
        for each in histories
    ):
        raise NotAllowed('a HistoryBuffer of other things than numbers')
    buffer.__init__(*histories, max_length=longest)  # type: ignore[misc]


def _set_attributes(namespace: argparse.Namespace, state: Any) -> None:
    """Fill a command line's arguments in."""
    vars(namespace).update(state)


HISTORY = Marker(lambda: HistoryBuffer.__new__(HistoryBuffer))


class CheckpointUnpickler(TensorUnpickler):
    """Give what mmengine's and the published checkpoints hold.

    Besides tensors, mmengine's message hub has log histories
    (``HistoryBuffer`` on numpy arrays) and scores (numpy scalars). The
    published checkpoints keep their command line, an ``argparse.Namespace``.
    """

    names = {
        **TensorUnpickler.names,
        ('mmengine.logging.history_buffer', 'HistoryBuffer'): HISTORY,
        ('argparse', 'Namespace'): Marker(argparse.Namespace),
        ('builtins', 'getattr'): _history_buffer_method,
        ('__builtin__', 'getattr'): _history_buffer_method,
    }
    states = {
        **TensorUnpickler.states,
        HistoryBuffer: _set_history,
        argparse.Namespace: _set_attributes,
    }


# All of mmengine's functions load checkpoints through the schemes of
# CheckpointLoader. Its own loaders fall back to unrestricted unpickling
# (0.10.12) or cannot read their own checkpoints (0.10.7 with torch >= 2.6).
def load_from_local(
    filename: str, map_location: MapLocation = None
) -> Dict[str, Any]:
    """mmengine's loader of local files, made safe."""
    content = load_checkpoint_file(filename, map_location)
    if filename.endswith('.safetensors'):
        meta = read_meta(content, filename)
        content = {'state_dict': content, 'meta': meta}
    return as_checkpoint(content, filename)


def as_checkpoint(content: Dict[str, Any], source: str) -> Dict[str, Any]:
    """Give weights the form that mmengine's hooks (EMA) look for.

    Raises:
        InputError: ``state_dict`` holds anything but weights.
    """
    meta = content.get('meta')
    if isinstance(meta, dict):
        # mmengine would run it as a config when a training is resumed; its
        # own checkpoints name theirs `cfg`.
        meta.pop('config', None)
    if 'state_dict' in content:
        checkpoint_weights(content, source)
    elif content and all(isinstance(v, Tensor) for v in content.values()):
        return {'state_dict': content, 'meta': {}}
    return content


def load_from_http(
    filename: str, map_location: MapLocation = None
) -> Dict[str, Any]:
    """Download a checkpoint to torch's cache, once, and load it safely.

    Raises:
        InputError: The address cannot be reached.
    """
    return load_from_local(download(filename), map_location)


def load_from_object_store(
    filename: str, map_location: MapLocation = None
) -> Dict[str, Any]:
    """mmengine's loader for s3 and petrel, made safe.

    Raises:
        InputError: The store's client is missing, or does not get the file.
    """
    try:
        store = get_file_backend(filename, backend_args={'backend': 'petrel'})
        content = store.get(filename)
    # The client is of a package that we do not know.
    except Exception as error:
        raise InputError.of(
            filename,
            'object store',
            f'{type(error).__name__}: {error}',
            'one that answers, through the package petrel_client; or a file '
            'of this machine',
        ) from error
    return as_checkpoint(
        _load_pickle(io.BytesIO(content), filename, map_location), filename
    )


def load_from_model_zoo(
    filename: str, map_location: MapLocation = None
) -> Dict[str, Any]:
    """Load by a name such as ``torchvision://resnet50``, made safe."""
    zoo, name = filename.split('://', 1)
    if zoo in ('torchvision', 'modelzoo'):
        urls = get_torchvision_models()
    elif zoo == 'mmcls':
        urls = get_mmcls_models()
    else:
        urls = get_external_models()
        name = get_deprecated_model_names().get(name, name)
    if name not in urls:
        raise InputError.of(filename, 'model', name, f'a name known to {zoo}')
    checkpoint = load_from_http(urls[name], map_location)
    if zoo != 'mmcls':
        return checkpoint
    weights = checkpoint.get('state_dict', checkpoint)
    prefix = 'backbone.'
    return {
        'state_dict': {
            key[len(prefix) :]: value
            for key, value in weights.items()
            if key.startswith(prefix)
        }
    }


def refuse_pavi(filename: str, map_location: MapLocation = None) -> None:
    """Raise InputError: pavi's loader unpickles without restriction."""
    raise InputError.of(
        filename, 'checkpoint', 'pavi://', f'{FILE_TYPES} or an https address'
    )


def register_safe_loaders() -> None:
    """Replace all of mmengine's checkpoint loaders."""
    register = CheckpointLoader.register_scheme
    register('', load_from_local, force=True)
    register(('http://', 'https://'), load_from_http, force=True)
    register(OBJECT_STORES, load_from_object_store, force=True)
    register(
        (
            'modelzoo://',
            'torchvision://',
            'open-mmlab://',
            'openmmlab://',
            'mmcls://',
        ),
        load_from_model_zoo,
        force=True,
    )
    register('pavi://', refuse_pavi, force=True)


register_safe_loaders()
