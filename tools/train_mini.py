"""Train a mini model, score it on held-out scenes and keep its weights.

    python tools/train_mini.py configs/mini/referformer_mini_pretrain.py \\
        configs/mini/referformer_mini.py \\
        --work-dir work_dirs/referformer_mini \\
        --out demo/weights/referformer_mini

Each config starts from the weights of the stages before it; if several have a
weight of the same name, the last one counts. When it is started again, it goes
on from the last complete checkpoint; models with the same first stages and the
same work folder train these stages once. Writes ``<out>.safetensors`` (half
precision) and ``<out>.json``: the command, the commit, the time, and the
scores of the written weights with the right references and with those of
another object.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict, Optional

from refvos.commands.runs import (
    current_commit,
    run_training,
    score,
    train_with,
    training_seconds,
)
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

# In bytes: git tracks the weights, and larger files belong elsewhere.
LARGEST_FILE = 5_000_000
PROCESSES = 2
SCRIPTS = Path(__file__).resolve().parent


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'configs', nargs='+', help='configs of configs/mini, stage by stage'
    )
    parser.add_argument(
        '--work-dir',
        required=True,
        metavar='DIR',
        help='folder of logs and checkpoints, one sub-folder per config',
    )
    parser.add_argument(
        '--out',
        required=True,
        metavar='PREFIX',
        help='path of the weights and the scores, without suffix',
    )
    parser.add_argument(
        '--also-score',
        nargs='+',
        default=[],
        metavar='CONFIG',
        help='further configs on whose test sets the model is scored',
    )
    return parser.parse_args(argv)


def train_stages(configs: Sequence[str], work_dir: Path) -> str:
    """Train stage by stage; return the checkpoint of the last one."""
    learned: Dict[str, Any] = {}
    checkpoint: Optional[str] = None
    for config in configs:
        folder = work_dir / Path(config).stem
        start = ['--resume']
        if learned and find_latest_checkpoint(str(folder)) is None:
            folder.mkdir(parents=True, exist_ok=True)
            first = folder / 'start.pth'
            write_atomically(first, serialize_weights(learned, {}, '.pth'))
            # The stages before have parts alone, and heads of their own.
            start = ['--load-from', str(first), '--allow-missing']
        trainer = train_with(SCRIPTS, config, PROCESSES)
        run_training([*trainer, '--work-dir', str(folder), *start])
        checkpoint = find_latest_checkpoint(str(folder))
        if checkpoint is not None:
            state = load_checkpoint_file(checkpoint)
            learned.update(checkpoint_weights(state, checkpoint))
    if checkpoint is None:
        raise InputError.of(
            work_dir, 'checkpoint', None, 'one that the training left'
        )
    return checkpoint


def keep_weights(checkpoint: str, file: Path) -> None:
    """Write the model of a checkpoint in half precision.

    Raises:
        InputError: The file would be too large for git.
    """
    weights = checkpoint_weights(load_checkpoint_file(checkpoint), checkpoint)
    content = serialize_weights(
        half_precision(weights, checkpoint), {}, file.suffix
    )
    if len(content) > LARGEST_FILE:
        raise InputError.of(
            file, 'size in bytes', len(content), f'at most {LARGEST_FILE}'
        )
    write_atomically(file, content)


def score_in(
    work_dir: Path, config: str, weights: Path
) -> Dict[str, Dict[str, float]]:
    """Score weights in a folder of the config; see :func:`score`."""
    folder = work_dir / Path(config).stem / 'test'
    return score(config, str(weights), str(folder))


def main(argv: Optional[Sequence[str]] = None) -> Dict[str, object]:
    args = parse_args(argv)
    work_dir, weights = Path(args.work_dir), Path(f'{args.out}.safetensors')
    # Git tracks the weights: writing them would mark the commit as changed.
    commit = current_commit()
    keep_weights(train_stages(args.configs, work_dir), weights)
    stages = [work_dir / Path(config).stem for config in args.configs]
    report = {
        'command': 'python tools/train_mini.py '
        + ' '.join(sys.argv[1:] if argv is None else argv),
        'commit': commit,
        'training_minutes': round(training_seconds(stages) / 60, 1),
        'processes': PROCESSES,
        'bytes': weights.stat().st_size,
        **score_in(work_dir, args.configs[-1], weights),
    }
    if args.also_score:
        report['also_scored'] = {
            config: score_in(work_dir, config, weights)
            for config in args.also_score
        }
    text = json.dumps(report, indent=2) + '\n'
    write_atomically(f'{args.out}.json', text.encode())
    print(text)
    return report


if __name__ == '__main__':
    sys.exit(run_tool(main))
