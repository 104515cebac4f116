"""Command line of all checkpoint converters."""

import argparse
import os.path as osp
from collections.abc import Sequence
from typing import Any, Dict, Optional, Union

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from ..engine import check_config, check_overrides
from ..engine.checkpoint_options import describe_options, options_note
from ..engine.cli import load_config, run_tool
from ..engine.options import OptionsAction
from ..errors import InputError
from ..io.atomic import write_atomically
from ..io.safe_checkpoint import load_checkpoint_file
from ..io.weights import SUFFIXES, check_tensors, serialize_weights
from ..models.backbones import fit_position_biases
from ..version import __version__
from .key_mapping import (
    KeyMapping,
    MappingChoice,
    describe_dropped,
    describe_fresh,
    reason_in,
)

Mapping = Union[KeyMapping, MappingChoice]

# Entries of a checkpoint under which training scripts save the weights.
ENTRIES = ('model', 'state_dict')


def run_converter(
    doc: str, mapping: Mapping, argv: Optional[Sequence[str]] = None
) -> int:
    """Run a converter on its command line.

    Args:
        doc: The tool's docstring, shown by ``--help``.
        mapping: Mapping of the published keys to ours, or several of which
            the checkpoint's keys choose one.
        argv: Arguments; None for those of the process.

    Returns:
        The exit status: 0, or 2 for bad input (one line on stderr).
    """

    def main(argv: Optional[Sequence[str]]) -> None:
        convert(parse_args(doc, argv), mapping)

    return run_tool(main, argv)


def parse_args(
    doc: str, argv: Optional[Sequence[str]] = None
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('src', metavar='SRC', help='published checkpoint')
    parser.add_argument(
        'dst', metavar='DST', help=f'file to write: {", ".join(SUFFIXES)}'
    )
    parser.add_argument(
        '--config',
        help='check the result against the model of this config: no weight '
        'missing, none unknown, all of the right shape; position biases of '
        "Swin are resized to that model's window size",
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        default={},
        metavar='KEY=VALUE',
        help='change entries of the config, e.g. model.num_queries=1',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read a checkpoint that holds more than tensors and plain data; '
        'such a file can run any code, so only from sources that you trust',
    )
    return parser.parse_args(argv)


def convert(args: argparse.Namespace, choice: Mapping) -> None:
    """Read a published checkpoint, rename, check and write the weights.

    Raises:
        InputError: The checkpoint, the config or the target can't be used.
    """
    check_target(args.src, args.dst)
    if args.cfg_options and not args.config:
        raise InputError.of(
            '--cfg-options', 'config', None, '--config, whose entries change'
        )
    cfg = read_config(args.config, args.cfg_options) if args.config else None
    content = load_checkpoint_file(args.src, trust=args.trust_checkpoint)
    published = weights_of(content, args.src)
    mapping = choice.choose(published)
    ours, dropped = mapping.apply(published, args.src)
    add_batch_counts(ours)
    fresh: Dict[str, str] = {}
    if cfg is not None:
        fresh = check_fit(ours, cfg, args.src, args.config, mapping)
    meta = {
        'converted_from': osp.basename(args.src),
        'refvos_version': __version__,
        **options_note(mapping.model_options),
    }
    write_checkpoint(args.dst, ours, meta)
    for line in describe_dropped(dropped) + describe_fresh(fresh):
        print(line)
    print(f'{len(published)} keys read, {len(ours)} written to {args.dst}')
    if cfg is not None:
        print(f'they fit the model of {args.config}')
    if mapping.model_options:
        print(
            'test them with --cfg-options '
            + describe_options(mapping.model_options)
        )


def check_target(src: str, dst: str) -> None:
    """Refuse a target that can't be written, before anything is read."""
    if not dst.endswith(SUFFIXES) or osp.isdir(dst):
        raise InputError.of(
            'DST', 'name', dst, f'a file ending in one of {SUFFIXES}'
        )
    if osp.exists(dst) and osp.exists(src) and osp.samefile(src, dst):
        raise InputError.of('DST', 'name', dst, 'another file than SRC')


def read_config(path: str, options: Dict[str, Any]) -> Config:
    """Read a config, apply ``options``, check the result."""
    cfg = load_config(path)
    check_config(cfg, path)
    check_overrides(cfg, options)
    cfg.merge_from_dict(options)
    check_config(cfg, '--cfg-options')
    if 'model' not in cfg:
        raise InputError.of(path, 'model', 'missing', 'a model')
    return cfg


def weights_of(content: Dict[str, Any], source: str) -> Dict[str, Tensor]:
    """Find the weights in a checkpoint: one of its entries, or all of it."""
    found = next((name for name in ENTRIES if name in content), None)
    weights = content if found is None else content[found]
    where = 'content' if found is None else found
    if not isinstance(weights, dict) or not weights:
        raise InputError.of(source, where, weights, 'weights by name')
    check_tensors(weights, source, where)
    return weights


def add_batch_counts(state: Dict[str, Tensor]) -> None:
    """Add the counters of batch norm, which frozen ones lack."""
    for key in list(state):
        module, _, leaf = key.rpartition('.')
        if leaf == 'running_var':
            state.setdefault(f'{module}.num_batches_tracked', torch.tensor(0))


def check_fit(
    state: Dict[str, Tensor],
    cfg: Config,
    source: str,
    config: str,
    mapping: KeyMapping,
) -> Dict[str, str]:
    """Compare names and shapes with those of the config's model.

    Position biases of another window size are resized in ``state``.

    Returns:
        The model's weights that keep their initial values, with the reasons.

    Raises:
        InputError: Naming the first weight that is missing, unexpected or
            of another shape.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    # Only the shapes matter: allocate no memory, draw no random numbers.
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    fit_position_biases(state, '', model)
    wanted = {
        key: value.shape
        for key, value in model.state_dict().items()
        if key.startswith(mapping.part)
    }
    absent = {
        key: reason_in(mapping.fresh, key)
        for key in wanted
        if key not in state
    }
    missing = [key for key, reason in absent.items() if not reason]
    unexpected = [key for key in state if key not in wanted]
    for keys, what in ((missing, 'missing'), (unexpected, 'unexpected')):
        if keys:
            raise InputError.of(
                source,
                f'weight (one of {len(keys)} {what})',
                keys[0],
                f'the weights of the model of {config}',
            )
    check_shapes(state, wanted, source, config)
    return absent


def check_shapes(
    state: Dict[str, Tensor],
    wanted: Dict[str, torch.Size],
    source: str,
    config: str,
) -> None:
    """Refuse weights of another shape than the model's."""
    misshapen = [key for key in state if state[key].shape != wanted[key]]
    if misshapen:
        first = misshapen[0]
        raise InputError.of(
            source,
            f'shape of {first} (one of {len(misshapen)})',
            tuple(state[first].shape),
            f'{tuple(wanted[first])}, as in the model of {config}',
        )


def write_checkpoint(
    path: str, state: Dict[str, Tensor], meta: Dict[str, str]
) -> None:
    """Write weights in the format of the file's suffix."""
    suffix = osp.splitext(path)[1]
    write_atomically(path, serialize_weights(state, meta, suffix))
