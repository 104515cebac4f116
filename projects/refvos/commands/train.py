"""Train a model.

    python tools/train.py configs/mini/referformer_mini.py
    python tools/train.py CONFIG --resume
    tools/dist_train.sh CONFIG 8

Checkpoints appear in the work folder only when they are complete: the run can
be stopped at any time, even with SIGKILL, and continued with --resume.
"""

import argparse
import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmengine.config import Config
from mmengine.device import get_device

from ..engine.cli import (
    add_common_arguments,
    build_runner,
    check_checkpoint,
    prepare_config,
)
from ..errors import InputError


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from this checkpoint, with its optimizer and schedule; '
        'without a value from the last complete one in the work folder, or '
        'from the beginning if there is none',
    )
    parser.add_argument(
        '--load-from',
        metavar='CHECKPOINT',
        help='start from these weights, with a new optimizer and schedule '
        "(fine-tuning); they must be those of the config's model, except for "
        'what its DropKeysHook leaves out',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='fp16',
        choices=['bf16', 'fp16'],
        help='train in mixed precision; fp16, which is also the default '
        'without a value, needs a GPU',
    )
    parser.add_argument(
        '--seed', type=int, help='seed of the random number generators'
    )
    add_common_arguments(parser)
    args = parser.parse_args(argv)
    if args.resume not in (None, 'auto') and args.load_from:
        parser.error('--resume CHECKPOINT and --load-from exclude each other')
    return args


def apply_args(cfg: Config, args: argparse.Namespace) -> None:
    """Set the arguments of training in the config."""
    if args.load_from is not None:
        check_checkpoint(args.load_from, '--load-from')
        cfg.load_from = args.load_from
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None
        if args.resume != 'auto':
            check_checkpoint(args.resume, '--resume')
            cfg.load_from = args.resume
    if args.seed is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=args.seed)
    if args.amp == 'bf16':
        cfg.optim_wrapper.type = 'BF16OptimWrapper'
    if args.amp == 'fp16':
        if get_device() == 'cpu':
            raise InputError.of('--amp fp16', 'device', 'cpu', 'a GPU')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Train a model.

    Raises:
        KeyboardInterrupt: With a message that says how to continue.
    """
    args = parse_args(argv)
    cfg = prepare_config(args)
    if 'train_dataloader' not in cfg:
        raise InputError.of(
            args.config, 'train_dataloader', None, 'a dataloader to train with'
        )
    apply_args(cfg, args)
    runner = build_runner(cfg, args.allow_missing)
    try:
        runner.train()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(how_to_go_on(cfg.work_dir)) from None


def how_to_go_on(work_dir: str) -> str:
    """Return how a stopped run can be continued."""
    pointer = Path(work_dir, 'last_checkpoint')
    try:
        checkpoint = pointer.read_text() if pointer.is_file() else ''
    except (OSError, UnicodeDecodeError):
        checkpoint = ''
    if not checkpoint.strip():
        return (
            f'{work_dir} has no checkpoint yet: --resume starts from the '
            'beginning'
        )
    name = osp.basename(checkpoint.strip())
    return f'--resume goes on from {osp.join(work_dir, name)}'
