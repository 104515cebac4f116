"""Read files of log-mel examples without running pickled code."""

import io
import zipfile
from collections import OrderedDict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Callable, Dict, Tuple

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .data_files import PlainUnpickler, load_pickle
from .log_mel import BANDS, FRAMES

ALLOWED = 'one tensor or array of numbers alone'


def read_log_mel(path: str) -> Tensor:
    """Read a log-mel file of AVSBench.

    Args:
        path: A pickle of a tensor or numpy array, or a file of
            ``torch.save`` (since torch 1.6). Every other class or function
            that a pickle names is refused.

    Returns:
        (seconds, 1, 96, 64) float32.

    Raises:
        InputError: The file is missing or broken, or has other content or
            numbers that are not finite.
    """
    found = load_tensor(Path(path))
    if isinstance(found, np.ndarray) and found.dtype.kind == 'f':
        # Converts pickled arrays of the other byte order, too.
        found = torch.from_numpy(found.astype(np.float32))
    shape = tuple(getattr(found, 'shape', ()))
    if (
        not isinstance(found, Tensor)
        or not found.is_floating_point()
        or found.layout != torch.strided
        or shape[1:] != (1, FRAMES, BANDS)
        or not shape[0]
    ):
        raise InputError.of(
            path,
            'content',
            f'{type(found).__name__} {shape}',
            f'floats of shape (seconds, 1, {FRAMES}, {BANDS})',
        )
    log_mel = found.detach().to('cpu', torch.float32)
    if not log_mel.isfinite().all():
        worst = log_mel[~log_mel.isfinite()][0].item()
        raise InputError.of(path, 'a number', worst, 'finite numbers')
    return log_mel.contiguous()


def load_tensor(path: Path) -> Any:
    """Unpickle a tensor in any format of torch."""
    if not (path.is_file() and zipfile.is_zipfile(path)):
        return load_pickle(path, TensorUnpickler, ALLOWED)
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    # A damaged file can raise any exception.
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise InputError.of(path, 'content', reason, ALLOWED) from error


class TensorUnpickler(PlainUnpickler):
    """Unpickle plain data, tensors and numpy arrays only."""

    def find_class(self, module: str, name: str) -> Any:
        found = tensor_parts().get((module, name))
        return found or super().find_class(module, name)


def tensor_parts() -> Dict[Tuple[str, str], Callable]:
    """List what pickled tensors and arrays name; none of it runs code."""
    core = getattr(np, '_core', None) or np.core
    rebuild = torch._utils._rebuild_tensor_v2
    parts: Dict[Tuple[str, str], Callable] = {
        ('torch._utils', rebuild.__name__): rebuild,
        ('torch.storage', '_load_from_bytes'): load_storage,
        ('collections', 'OrderedDict'): OrderedDict,
        ('numpy', 'ndarray'): np.ndarray,
        ('numpy', 'dtype'): np.dtype,
        ('_codecs', 'encode'): encode_latin,
    }
    # numpy 1 and 2 name the module differently.
    for package in ('numpy.core', 'numpy._core'):
        reconstruct = core.multiarray._reconstruct
        parts[f'{package}.multiarray', '_reconstruct'] = reconstruct
        parts[f'{package}.numeric', '_frombuffer'] = core.numeric._frombuffer
    return parts


def load_storage(content: bytes) -> Any:
    """Replace torch's function, which unpickles without restriction."""
    return torch.load(
        io.BytesIO(content), map_location='cpu', weights_only=True
    )


def encode_latin(text: str, encoding: str) -> bytes:
    """Replace ``codecs.encode``, which can run other codecs.

    Pickle protocols before 3 store bytes as texts to be encoded.
    """
    if encoding != 'latin1':
        raise UnpicklingError(f'the encoding {encoding} wanted')
    return text.encode('latin1')
