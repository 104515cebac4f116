"""Read files of log-mel examples without running pickled code."""

import io
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .data_files import load_pickle, read_list
from .log_mel import BANDS, FRAMES
from .tensor_pickle import ZIP_START, TensorUnpickler, load_tensors

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
    content = read_list(path)
    if not content.startswith(ZIP_START):
        return load_pickle(path, LogMelUnpickler, ALLOWED)
    try:
        return load_tensors(io.BytesIO(content))
    # A damaged file can fail with any exception whatever.
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise InputError.of(path, 'content', reason, ALLOWED) from error


def load_storage(content: Any) -> Any:
    """Stand in for torch's own, which unpickles without restriction."""
    if not isinstance(content, bytes):
        raise UnpicklingError('a storage that is not bytes')
    return load_tensors(io.BytesIO(content))


class LogMelUnpickler(TensorUnpickler):
    """Gives tensors that were pickled as Python pickles, too."""

    names = {
        **TensorUnpickler.names,
        ('torch.storage', '_load_from_bytes'): load_storage,
    }
