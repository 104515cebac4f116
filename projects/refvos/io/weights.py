"""Select, round and serialize the weights of a model."""

import io
from typing import Any, Dict

import torch
from torch import Tensor

from ..errors import InputError

SUFFIXES = ('.pth', '.pt', '.safetensors')


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
    weights = content.get('state_dict', content)
    if not isinstance(weights, dict) or not weights:
        raise InputError.of(source, where, weights, 'weights by name')
    for key, value in weights.items():
        if not isinstance(value, Tensor):
            raise InputError.of(
                source,
                f'{where}.{key}',
                value,
                'a tensor (published weights are converted first, '
                'tools/model_converters)',
            )
    return dict(weights)


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
        return save(copies, meta)
    state = {key: own_storage(value) for key, value in weights.items()}
    buffer = io.BytesIO()
    torch.save({'state_dict': state, 'meta': meta}, buffer)
    return buffer.getvalue()


def own_storage(value: Tensor) -> Tensor:
    """Copy a view, of which torch would save the whole storage."""
    value = value.detach().cpu()
    size = value.numel() * value.element_size()
    return value.clone() if value.untyped_storage().nbytes() > size else value
