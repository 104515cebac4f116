"""Published state dicts whose tensors follow from their keys alone.

The oracle's numbers in ``tests/data`` were computed by the published code
with these weights.
"""

import zlib
from pathlib import Path
from typing import Dict, Tuple

import numpy as np
import torch

DATA = Path(__file__).parent / 'data'


def formula_tensor(key: str, shape: Tuple[int, ...]) -> torch.Tensor:
    """Make the tensor of a checkpoint key."""
    seed = zlib.crc32(key.encode()) & 0x7FFFFFFF
    draw = np.random.RandomState(seed).standard_normal(shape or (1,))
    draw = draw.astype(np.float32).reshape(shape)
    leaf = key.rsplit('.', 1)[-1]
    if leaf == 'running_var':
        draw = 1 + 0.1 * np.abs(draw)
    elif leaf in ('running_mean', 'bias') or leaf.endswith('_bias'):
        draw = 0.02 * draw
    elif len(shape) == 1:
        draw = 1 + 0.1 * draw
    else:
        draw = draw * np.float32(np.prod(shape[1:]) ** -0.5)
    return torch.as_tensor(draw)


def published_state_dict(name: str) -> Dict[str, torch.Tensor]:
    """Make the state dict of ``tests/data/checkpoint_keys/<name>.tsv``.

    The text encoder is the oracle's small one: two layers, 1000 words.
    """
    state = {}
    rows = (DATA / 'checkpoint_keys' / f'{name}.tsv').read_text().splitlines()
    for row in rows[1:]:
        key, shape_text = row.split('\t')
        shape = tuple(int(n) for n in shape_text.split('x') if n)
        layer = key.partition('text_encoder.encoder.layer.')[2]
        if layer and int(layer.split('.')[0]) >= 2:
            continue
        if key == 'text_encoder.embeddings.word_embeddings.weight':
            shape = (1000, 768)
        state[key] = formula_tensor(key, shape)
    return state
