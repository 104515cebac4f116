"""Train a mini model, score it on held-out scenes and keep its weights.

    python tools/train_mini.py configs/mini/referformer_mini_pretrain.py \\
        configs/mini/referformer_mini.py \\
        --work-dir work_dirs/referformer_mini \\
        --out demo/weights/referformer_mini

Each config starts from the weights of those before it, the last one that has
a weight counts. Started again, it goes
on from the last whole checkpoint; models with the same first stages and the
same work directory train those once. It writes ``<out>.safetensors`` (half
precision) and ``<out>.json``: the command, the commit, the time, and the
scores of the written weights with the right references and with those of
another object.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, Dict, Optional

import torch

from refvos.engine import find_latest_checkpoint
from refvos.engine.cli import run_tool
from refvos.errors import InputError
from refvos.io.atomic import write_atomically
from refvos.io.safe_checkpoint import load_checkpoint_file
from refvos.io.weights import (
    checkpoint_weights,
    half_precision,
    serialize_weights,
)

# Weights are tracked by git; more belongs elsewhere.
LARGEST_FILE = 5_000_000
TOOLS = Path(__file__).parent


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'configs', nargs='+', help='configs of configs/mini, stage by stage'
    )
    parser.add_argument('--work-dir', required=True, metavar='DIR')
    parser.add_argument(
        '--out',
        required=True,
        metavar='PREFIX',
        help='where weights and scores go, without suffix',
    )
    parser.add_argument(
        '--also-score',
        nargs='+',
        default=[],
        metavar='CONFIG',
        help='configs on whose test sets the model is scored, too',
    )
    return parser.parse_args(argv)


def train_stages(configs: Sequence[str], work_dir: Path) -> str:
    """Train stage by stage; gives the last one's checkpoint."""
    learned: Dict[str, Any] = {}
    checkpoint: Optional[str] = None
    for config in configs:
        folder = work_dir / Path(config).stem
        start = ['--resume']
        if learned and find_latest_checkpoint(str(folder)) is None:
            folder.mkdir(parents=True, exist_ok=True)
            first = folder / 'start.pth'
            torch.save({'state_dict': learned}, first)
            start = ['--load-from', str(first)]
        # Two processes of one thread each take three quarters of the time
        # of one with two: the tensors are small.
        subprocess.run(
            ['bash', str(TOOLS / 'dist_train.sh'), config, '2']
            + ['--work-dir', str(folder), *start],
            check=True,
            env={
                **os.environ,
                'OMP_NUM_THREADS': '1',
                'PYTHON': sys.executable,
            },
        )
        checkpoint = find_latest_checkpoint(str(folder))
        if checkpoint is not None:
            state = load_checkpoint_file(checkpoint)
            learned.update(checkpoint_weights(state, checkpoint))
    if checkpoint is None:
        raise InputError.of(
            work_dir, 'checkpoint', None, 'one that the training left'
        )
    return checkpoint


def training_seconds(stages: Iterable[Path]) -> float:
    """Sum up the time of all logged iterations, lost ones included.

    Args:
        stages: Their folders.
    """
    total = 0.0
    logs = [stage.glob('*/vis_data/scalars.json') for stage in stages]
    for file in chain(*logs):
        previous = None
        for line in file.read_text().splitlines():
            record = json.loads(line)
            if 'loss' not in record:
                continue
            step = record['step']
            # `time` is the mean over the iterations since the last record.
            count = step - previous if previous is not None else 50
            total += record['time'] * count
            previous = step
    return total


def keep_weights(checkpoint: str, file: Path) -> None:
    """Write a checkpoint's model in half precision."""
    weights = checkpoint_weights(load_checkpoint_file(checkpoint), checkpoint)
    content = serialize_weights(
        half_precision(weights, checkpoint), {}, file.suffix
    )
    if len(content) > LARGEST_FILE:
        raise InputError.of(
            file, 'size in bytes', len(content), f'at most {LARGEST_FILE}'
        )
    write_atomically(file, content)


def score(
    config: str, weights: Path, work_dir: Path
) -> Dict[str, Dict[str, float]]:
    """Score weights with the right references and with wrong ones."""
    test = import_module('test')
    folder = work_dir / Path(config).stem
    command = [config, str(weights), '--work-dir', str(folder / 'test')]
    scores = {
        'test': test.main(command),
        'test_with_wrong_references': test.main(
            [*command, '--wrong-references']
        ),
    }
    return {
        name: {key: round(float(value), 2) for key, value in each.items()}
        for name, each in scores.items()
    }


def current_commit() -> str:
    """Name the commit, marked where files differ from it."""
    return subprocess.run(
        ['git', 'describe', '--always', '--dirty', '--abbrev=12'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def main(argv: Optional[Sequence[str]] = None) -> Dict[str, object]:
    args = parse_args(argv)
    work_dir, weights = Path(args.work_dir), Path(f'{args.out}.safetensors')
    # Before the weights, tracked themselves, change.
    commit = current_commit()
    keep_weights(train_stages(args.configs, work_dir), weights)
    stages = [work_dir / Path(config).stem for config in args.configs]
    report = {
        'command': 'python tools/train_mini.py '
        + ' '.join(sys.argv[1:] if argv is None else argv),
        'commit': commit,
        'training_minutes': round(training_seconds(stages) / 60, 1),
        'processes': 2,
        'bytes': weights.stat().st_size,
        **score(args.configs[-1], weights, work_dir),
    }
    if args.also_score:
        report['also_scored'] = {
            config: score(config, weights, work_dir)
            for config in args.also_score
        }
    text = json.dumps(report, indent=2) + '\n'
    write_atomically(f'{args.out}.json', text.encode())
    print(text)
    return report


if __name__ == '__main__':
    sys.exit(run_tool(main))
