"""Select, round and serialize the weights of a model."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Dict, List

import torch
from torch import Tensor

from ..errors import InputError

SUFFIXES = ('.pth', '.pt', '.safetensors')
# In a safetensors file's header: the CRC-32 of all that follows it.
CHECK_SUM = 'crc32'
# Batch norm's counters change nothing at test time.
NOT_NEEDED = 'num_batches_tracked'


def find_weights(content: Dict[str, Any], source: str) -> Dict[Any, Any]:
    """Find what a checkpoint holds as weights: an entry, or all of it.

    Raises:
        InputError: It is no dict.
    """
    where = 'state_dict' if 'state_dict' in content else 'content'
    weights = content.get('state_dict', content)
    if not isinstance(weights, dict):
        raise InputError.of(source, where, weights, 'weights by name')
    return weights


def checkpoint_weights(
    content: Dict[str, Any], source: str
) -> Dict[str, Tensor]:
    """Return the weights of a checkpoint that are used at test time.

    With mmengine's ``EMAHook`` these are the averaged weights: the hook
    saves them in ``state_dict``, and the trained ones in
    ``ema_state_dict``.

    Args:
        content: A checkpoint from :func:`load_checkpoint_file`.
        source: Its file, for messages.

    Raises:
        InputError: It has no weights by name.
    """
    where = 'state_dict' if 'state_dict' in content else 'content'
    weights = find_weights(content, source)
    if not weights:
        raise InputError.of(source, where, weights, 'weights by name')
    check_tensors(weights, source, where)
    return dict(weights)


def check_tensors(weights: Dict[Any, Any], source: str, where: str) -> None:
    """Refuse all but dense tensors of real numbers, by name.

    Args:
        weights: What a file has.
        source: For messages.
        where: The entry of the file that holds them.
    """
    for key, value in weights.items():
        if not isinstance(key, str):
            raise InputError.of(source, f'a key of {where}', key, 'a name')
        if not isinstance(value, Tensor):
            raise InputError.of(
                source,
                f'{where}.{key}',
                value,
                'a tensor (published weights are converted first, '
                'tools/model_converters)',
            )
        if not is_plain(value):
            raise InputError.of(
                source,
                f'{where}.{key}',
                f'{value.layout}, {value.dtype}, {value.device.type}',
                'a dense tensor of real numbers',
            )


def is_plain(value: Tensor) -> bool:
    """Whether a tensor has a real number for each of its elements."""
    return (
        value.layout == torch.strided
        and not value.is_meta
        and not value.is_complex()
        and not value.is_quantized
    )


def check_fit(
    weights: Mapping[Any, Any],
    own: Mapping[str, Tensor],
    source: str,
    dropped: Sequence[str] = (),
    allow_missing: bool = False,
) -> List[str]:
    """Compare a checkpoint's weights with those of a model.

    Args:
        weights: The checkpoint's, by name.
        own: The model's.
        source: For messages.
        dropped: Beginnings of names that are not compared.
        allow_missing: Let names differ, as long as some agree.

    Returns:
        Lines that say which names differ, where they may.

    Raises:
        InputError: Naming the first key that does not fit.
    """
    told = []
    start = tuple(dropped)
    weights = {
        key: value
        for key, value in weights.items()
        if not (isinstance(key, str) and key.startswith(start))
    }
    unknown = [key for key in weights if key not in own]
    if unknown and not allow_missing:
        raise InputError.of(
            source,
            'key',
            unknown[0],
            "one of the config's model (published weights are converted "
            'first, tools/model_converters)',
        )
    check_tensors(weights, source, 'weights')
    for key in weights:
        if key not in own:
            continue
        shape, wanted = tuple(weights[key].shape), tuple(own[key].shape)
        if shape != wanted:
            raise InputError.of(
                source,
                f'shape of key {key}',
                shape,
                f"{wanted}, as in the config's model",
            )
    missing = [
        key
        for key in own
        if key not in weights
        and not key.endswith(NOT_NEEDED)
        and not key.startswith(start)
    ]
    if missing and (not allow_missing or len(unknown) == len(weights)):
        raise InputError.of(
            source,
            f'key {missing[0]}',
            'missing',
            "all of the config's model"
            if not allow_missing
            else "some of the config's model",
        )
    for keys, what in (
        (unknown, 'unknown to the model, left out'),
        (missing, 'not in the file, as at the start of a training'),
    ):
        if keys:
            told.append(f'{source}: {len(keys)} weights {what}: {keys[0]} ...')
    return told


def half_precision(
    weights: Dict[str, Tensor], source: str
) -> Dict[str, Tensor]:
    """Round floats to 16 bits; integers do not change.

    Raises:
        InputError: A finite weight is too large for 16 bits.
    """
    halves = {}
    for key, value in weights.items():
        half = value.half() if value.is_floating_point() else value
        if not torch.equal(half.isfinite(), value.isfinite()):
            raise InputError.of(
                source,
                f'{key}: largest value',
                value.abs().max().item(),
                'at most 65504, to be kept in half precision',
            )
        halves[key] = half
    return halves


def serialize_weights(
    weights: Dict[str, Tensor], meta: Dict[str, str], suffix: str
) -> bytes:
    """Serialize weights in the format of a file's suffix.

    Args:
        weights: Name -> tensor.
        meta: Name -> short note; stored in the header of ``.safetensors``.
        suffix: One of ``SUFFIXES``.
    """
    if suffix == '.safetensors':
        from safetensors.torch import save

        # safetensors refuses tensors that share a storage.
        layout = torch.contiguous_format
        copies = {
            key: value.detach().cpu().clone(memory_format=layout)
            for key, value in weights.items()
        }
        content = save(copies, meta)
        (size,) = struct.unpack('<Q', content[:8])
        found = f'{zlib.crc32(memoryview(content)[8 + size :]):08x}'
        return save(copies, {**meta, CHECK_SUM: found})
    state = {key: own_storage(value) for key, value in weights.items()}
    buffer = io.BytesIO()
    torch.save({'state_dict': state, 'meta': meta}, buffer)
    return buffer.getvalue()


def own_storage(value: Tensor) -> Tensor:
    """Copy a view, of which torch would save the whole storage."""
    value = value.detach().cpu()
    size = value.numel() * value.element_size()
    return value.clone() if value.untyped_storage().nbytes() > size else value
