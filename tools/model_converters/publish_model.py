"""Make publishable files from a trained checkpoint.

    python tools/model_converters/publish_model.py \\
        work_dirs/run/epoch_6.pth published/referformer_r50 --half

writes ``published/referformer_r50-<hash>.pth``: only the weights (the averages
if the training averaged them), without optimizer, logs and the config with
its paths. The hash is the first 8 hexadecimal digits of the
file's SHA-256, as torch.hub checks it.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from typing import Any, Dict, List, Optional

import torch
from torch import Tensor

from refvos.engine.checkpoint_options import noted_options, options_note
from refvos.engine.cli import run_tool
from refvos.errors import InputError
from refvos.io.atomic import write_atomically
from refvos.io.safe_checkpoint import load_checkpoint_file, read_meta
from refvos.io.weights import (
    checkpoint_weights,
    half_precision,
    serialize_weights,
)
from refvos.version import __version__

FORMATS = {
    'pth': ('.pth',),
    'safetensors': ('.safetensors',),
    'both': ('.pth', '.safetensors'),
}
HASH_DIGITS = 8


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('src', metavar='IN', help='checkpoint of a training')
    parser.add_argument(
        'prefix', metavar='OUT_PREFIX', help='files to write, without suffix'
    )
    parser.add_argument(
        '--half', action='store_true', help='round floats to 16 bits'
    )
    parser.add_argument(
        '--format', choices=list(FORMATS), default='pth', help='(default: pth)'
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read a checkpoint that holds more than tensors and plain data; '
        'such a file can run any code, so only from sources that you trust',
    )
    return parser.parse_args(argv)


def describe_weights(
    content: Dict[str, Any], source: str, half: bool
) -> Dict[str, str]:
    """Make the notes of a published file, without paths and names.

    Args:
        content: The checkpoint.
        source: Its file.
        half: The weights are rounded to 16 bits.
    """
    options = noted_options(read_meta(content, source), source)
    meta = {'refvos_version': __version__, **options_note(options)}
    trained = content.get('meta')
    for key in ('epoch', 'iter'):
        if isinstance(trained, dict) and isinstance(trained.get(key), int):
            meta[key] = str(trained[key])
    if half:
        meta['precision'] = 'half'
    return meta


def publish(
    weights: Dict[str, Tensor], meta: Dict[str, str], prefix: str, suffix: str
) -> str:
    """Write one file, check it by reading it, return its path."""
    content = serialize_weights(weights, meta, suffix)
    digest = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
    path = f'{prefix}-{digest}{suffix}'
    write_atomically(path, content)
    read = checkpoint_weights(load_checkpoint_file(path), path)
    for key, value in weights.items():
        if key not in read or not torch.equal(read[key], value.cpu()):
            raise InputError.of(
                path, key, read.get(key), 'the weight that was written'
            )
    return path


def main(argv: Optional[Sequence[str]] = None) -> List[str]:
    args = parse_args(argv)
    content = load_checkpoint_file(args.src, trust=args.trust_checkpoint)
    weights = checkpoint_weights(content, args.src)
    meta = describe_weights(content, args.src, args.half)
    if args.half:
        weights = half_precision(weights, args.src)
    paths = []
    for suffix in FORMATS[args.format]:
        path = publish(weights, meta, args.prefix, suffix)
        print(f'{len(weights)} tensors: {path}')
        paths.append(path)
    return paths


if __name__ == '__main__':
    sys.exit(run_tool(main))
