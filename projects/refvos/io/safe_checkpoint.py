"""Read checkpoints without running what is in them.

A ``.pth`` file is a pickle, and a pickle can run any code when it is read.
Checkpoints are read with torch's restricted unpickler and a list of the
classes that they need; all others are refused unless the user declares the
file's source trusted.
"""

import argparse
import io
import os
import os.path as osp
import re
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any, Dict, List, Optional, Union
from urllib.parse import urlparse

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

from ..errors import InputError, describe

MapLocation = Union[str, torch.device, Callable, None]

OBJECT_STORES = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://')
FILE_TYPES = 'a .pth, .pt or .safetensors file'
# ``?`` to ``d`` are booleans, integers and floats; ``S`` and ``U`` strings.
DTYPE_CODES = '?bBhHiIlLqQefdSU'

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
    if path.endswith('.safetensors'):
        return _load_safetensors(path, map_location)
    return _load_pickle(path, path, map_location, trust)


def _load_safetensors(path: str, map_location: MapLocation) -> Dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    device = 'cpu'
    if isinstance(map_location, (str, torch.device)):
        device = str(map_location)
    try:
        return load_file(path, device=device)
    except (SafetensorError, OSError) as error:
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


def _load_pickle(
    source: Union[str, io.BytesIO],
    name: str,
    map_location: MapLocation,
    trust: Optional[bool] = None,
) -> Dict[str, Any]:
    """Read a pickle from a file or from memory; ``name`` is for messages."""
    trust = _trusted if trust is None else trust
    try:
        # Replaces all that the process has declared safe elsewhere.
        with torch.serialization.safe_globals(_allowed_globals()):
            content = torch.load(
                source, map_location=map_location, weights_only=not trust
            )
    except (MemoryError, torch.OutOfMemoryError):
        raise
    # A damaged pickle can raise any exception.
    except Exception as error:
        refused = _refused_name(error)
        if refused is not None and not trust:
            raise InputError.of(
                name,
                'what the pickle wants',
                refused,
                'tensors and plain data only; a file from a source that you '
                'trust is read with --trust-checkpoint',
            ) from error
        raise _damaged(name, error) from error
    if not isinstance(content, dict):
        raise InputError.of(
            name, 'content', type(content).__name__, 'a dict of weights'
        )
    return content


def _refused_name(error: Exception) -> Optional[str]:
    """Return what torch's restricted unpickler refused; None if nothing."""
    text = ' '.join(str(error).split())
    named = re.search(r'GLOBAL (\S+)', text)
    # An unknown instruction or a call that is not allowed.
    other = re.search(r'WeightsUnpickler error: (.+?)(?: Check the |$)', text)
    found = named or other
    return found[1] if found else None


def _damaged(path: str, error: Exception) -> InputError:
    reason = f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')
    size = osp.getsize(path) if osp.isfile(path) else None
    return InputError(
        describe(path, 'size in bytes', size, 'a whole checkpoint')
        + f' (it cannot be read: {reason[:160]})'
    )


def _history_buffer_method(owner: Any, name: str) -> Any:
    """Replace ``getattr``, from which a pickle could reach any code.

    A ``HistoryBuffer`` is pickled with its methods ``min``, ``max``,
    ``current`` and ``mean`` as ``getattr(HistoryBuffer, name)``.
    """
    allowed = HistoryBuffer._statistics_methods
    HistoryBuffer()  # Registers the four methods.
    if owner is not HistoryBuffer or name not in allowed:
        raise UnpicklingError(f'GLOBAL builtins.getattr({name!r}) is refused')
    return allowed[name]


def _allowed_globals() -> List[Any]:
    """List what checkpoints contain besides tensors; none can run code.

    mmengine's message hub has log histories (``HistoryBuffer`` on numpy
    arrays) and scores (numpy scalars). The published checkpoints contain
    their command line, an ``argparse.Namespace``.
    """
    core = getattr(np, '_core', None) or np.core
    functions = [core.multiarray._reconstruct, core.multiarray.scalar]
    # numpy 1 and 2 name the module differently; read files of both.
    named = [
        (function, f'numpy.{module}.multiarray.{function.__name__}')
        for function in functions
        for module in ('core', '_core')
    ]
    dtypes = {type(np.dtype(code)) for code in DTYPE_CODES}
    return [
        HistoryBuffer,
        (_history_buffer_method, 'builtins.getattr'),
        *named,
        np.ndarray,
        np.dtype,
        *dtypes,
        argparse.Namespace,
    ]


# All of mmengine's functions load checkpoints through the schemes of
# CheckpointLoader. Its own loaders fall back to unrestricted unpickling
# (0.10.12) or cannot read their own checkpoints (0.10.7 with torch >= 2.6).
def load_from_local(
    filename: str, map_location: MapLocation = None
) -> Dict[str, Any]:
    """Load a local checkpoint: mmengine's loader, made safe."""
    checkpoint = load_checkpoint_file(filename, map_location)
    if filename.endswith('.safetensors'):
        # mmengine's EMAHook expects this key.
        meta = read_meta(checkpoint, filename)
        checkpoint = {'state_dict': checkpoint, 'meta': meta}
    return checkpoint


def load_from_http(
    filename: str, map_location: MapLocation = None
) -> Dict[str, Any]:
    """Download a checkpoint to torch's cache, once, and load it safely.

    Raises:
        InputError: The address cannot be reached.
    """
    folder = osp.join(torch.hub.get_dir(), 'checkpoints')
    target = osp.join(folder, osp.basename(urlparse(filename).path))
    if not osp.exists(target):
        os.makedirs(folder, exist_ok=True)
        # torch writes a temporary file and renames it: several processes may
        # download at the same time.
        try:
            torch.hub.download_url_to_file(filename, target, progress=False)
        except OSError as error:
            raise InputError.of(
                filename,
                'download',
                str(error),
                'weights that can be reached; for a local file: --cfg-options '
                f'{option_of(filename)}=FILE (load_from=FILE for those of the '
                'whole model)',
            ) from None
    return load_from_local(target, map_location)


def option_of(filename: str) -> str:
    """Name the entry of a config that takes these weights from a file."""
    if 'vggish' in osp.basename(filename):
        return 'model.sound_encoder.vggish.init_cfg.checkpoint'
    return 'model.backbone.init_cfg.checkpoint'


def load_from_object_store(
    filename: str, map_location: MapLocation = None
) -> Dict[str, Any]:
    """Load from s3 or petrel: mmengine's loader, made safe."""
    backend = get_file_backend(filename, backend_args={'backend': 'petrel'})
    return _load_pickle(
        io.BytesIO(backend.get(filename)), filename, map_location
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
