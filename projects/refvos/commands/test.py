"""Test a model on the test set of its config, with the metrics of its config.

python tools/test.py CONFIG CHECKPOINT
python tools/test.py CONFIG CHECKPOINT --out table.csv --show-dir overlays
tools/dist_test.sh CONFIG CHECKPOINT 8
"""

import argparse
import os.path as osp
from collections.abc import Sequence
from typing import Dict, List, Optional

from mmdet.registry import METRICS
from mmengine.config import Config

from ..engine import CheckpointOptionsHook, PrepareForTestHook
from ..engine.cli import (
    add_common_arguments,
    add_precision_argument,
    build_runner,
    check_checkpoint,
    prepare_config,
)
from ..engine.signatures import accepted_arguments
from ..errors import InputError
from ..io.out_folders import check_writable_folder


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        help='weights: a .pth, .pt or .safetensors file, or a URL',
    )
    parser.add_argument(
        '--out',
        metavar='TABLE',
        help='write the scores of every expression to this .csv or .json file',
    )
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='draw the predicted masks of the first videos over their frames '
        'and write them to this folder (number of videos: max_videos of '
        'RefVOSVisualizationHook)',
    )
    parser.add_argument(
        '--wrong-references',
        action='store_true',
        help='ask for another object of the video than the one that is '
        'scored; a model that ignores the references scores as well as with '
        'the right ones',
    )
    add_precision_argument(parser)
    add_common_arguments(parser)
    return parser.parse_args(argv)


def evaluators(cfg: Config) -> List[dict]:
    """Return the configs of the metrics as a list."""
    value = cfg.test_evaluator
    return list(value) if isinstance(value, (list, tuple)) else [value]


def set_table(cfg: Config, path: str) -> None:
    """Set the file of the first metric that writes a table.

    Raises:
        InputError: No metric does.
    """
    able = []
    for evaluator in evaluators(cfg):
        metric = METRICS.get(evaluator['type'])
        if 'per_expression_table' in (accepted_arguments(metric) or ()):
            able.append(evaluator)
    if not able:
        raise InputError.of(
            '--out',
            'test_evaluator',
            [evaluator['type'] for evaluator in evaluators(cfg)],
            'a metric with per_expression_table, e.g. JFMetric',
        )
    able[0]['per_expression_table'] = path


def set_drawing(cfg: Config, folder: str) -> None:
    """Set the folder of the hook that draws; add the hook if there is none."""
    # A list taken from a Config is a copy.
    hooks = [dict(hook) for hook in cfg.get('custom_hooks') or []]
    drawing = [h for h in hooks if h['type'] == 'RefVOSVisualizationHook']
    if not drawing:
        hooks.append({'type': 'RefVOSVisualizationHook'})
        drawing = [hooks[-1]]
    # The hook takes a relative path as below the log folder of the run.
    drawing[0]['out_dir'] = osp.abspath(folder)
    cfg.custom_hooks = hooks


def main(argv: Optional[Sequence[str]] = None) -> Dict[str, float]:
    """Test a model; return the metrics by name."""
    args = parse_args(argv)
    check_checkpoint(args.checkpoint, 'checkpoint')
    cfg = prepare_config(args)
    if 'test_dataloader' not in cfg or 'test_evaluator' not in cfg:
        raise InputError.of(
            args.config,
            'test_dataloader, test_evaluator',
            None,
            'a test set and its metric',
        )
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.out is not None:
        check_writable_folder(osp.dirname(osp.abspath(args.out)), '--out')
        set_table(cfg, args.out)
    if args.show_dir is not None:
        check_writable_folder(args.show_dir, '--show-dir')
        set_drawing(cfg, args.show_dir)
    if args.amp is not None:
        cfg.merge_from_dict({'model.test_cfg.precision': args.amp})
    if args.wrong_references:
        cfg.test_dataloader.dataset.wrong_references = True
    runner = build_runner(cfg, args.allow_missing)
    runner.register_hook(CheckpointOptionsHook())
    runner.register_hook(PrepareForTestHook())
    return runner.test()
