"""Train the mini ablations with the same budget each and write their table.

    python tools/analysis_tools/ablation_table.py
    python tools/analysis_tools/ablation_table.py --rows base n5 --minutes 5

All rows start from one backbone that has learned shapes before, as the
paper's start from Kinetics; its training does not count.

Writes ``<out>.md`` and ``<out>.csv``: every row's score on the held-out test
set, with the right references and with those of another object. Started
again, it goes on where it was; rows that are finished stay as they are, and
the table shows all of them.

With --minutes, the length of a row's training follows from a short trial, so
that rows whose steps take longer get fewer; with --iters all get as many.
"""

import argparse
import csv
import importlib.util
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Optional

from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from refvos.engine import find_latest_checkpoint, write_atomically
from refvos.engine.cli import check_checkpoint, load_config, run_tool
from refvos.errors import InputError

TOOLS = Path(__file__).resolve().parents[1]
CONFIGS = Path('configs/mini/ablations')
BACKBONE = 'configs/mini/backbone_mini.py'
TRIAL_ITERS = 30
WARMUP = 100
KINDS = ('appearance', 'place', 'relation', 'order', 'motion')


class Row(NamedTuple):
    """A line of the table."""

    config: str
    what: str


ROWS = {
    'base': Row('referformer_mini_base', 'N = 1, T = 2'),
    'bottom-up': Row('bottom-up_mini', 'base line: no queries (Table 4)'),
    'no-fpn-fusion': Row(
        'referformer_mini_no-fpn-fusion', 'pyramid without words (Table 4)'
    ),
    'no-relative-coordinates': Row(
        'referformer_mini_no-relative-coordinates',
        'kernels without coordinates (Table 4)',
    ),
    'n5': Row('referformer_mini_n5', 'N = 5 (Table 6a)'),
    't1': Row('referformer_mini_t1', 'T = 1 (Table 6b)'),
    't3': Row('referformer_mini_t3', 'T = 3 (Table 6b)'),
}


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        '--minutes',
        type=float,
        default=15.0,
        help='training time of a row (default: 15)',
    )
    budget.add_argument(
        '--iters', type=int, help='training steps of a row instead'
    )
    parser.add_argument(
        '--rows',
        nargs='+',
        choices=list(ROWS),
        default=list(ROWS),
        help='which rows to train (default: all)',
    )
    parser.add_argument(
        '--work-dir', default='work_dirs/ablations_mini', metavar='DIR'
    )
    parser.add_argument(
        '--out',
        default='docs/ablations_mini',
        metavar='PREFIX',
        help='where the table goes, without suffix',
    )
    parser.add_argument(
        '--backbone',
        metavar='CHECKPOINT',
        help='weights that every row starts from (default: trained first, '
        f'with {BACKBONE})',
    )
    parser.add_argument(
        '--processes',
        type=int,
        default=2,
        help='of one thread each (default: 2)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='changes to the configs of all rows, as for tools/train.py',
    )
    args = parser.parse_args(argv)
    if args.iters is not None and args.iters < 2:
        raise InputError.of('--iters', 'iters', args.iters, 'at least 2')
    if args.minutes <= 0:
        raise InputError.of('--minutes', 'minutes', args.minutes, 'above 0')
    return args


def load_tool(name: str) -> ModuleType:
    """Import a script of tools/; `test` alone is a package of Python's."""
    path = TOOLS / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'tools_{name}', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings_of(args: argparse.Namespace) -> Dict[str, Any]:
    """What has to be the same in all rows of a table."""
    budget = (
        {'minutes': args.minutes}
        if args.iters is None
        else {'iterations': args.iters}
    )
    return {
        **budget,
        'backbone': args.backbone,
        'processes': args.processes,
        'options': list(args.cfg_options),
    }


def config_of(name: str) -> str:
    return str(CONFIGS / f'{ROWS[name].config}.py')


# -------------------------------------------------------------------- training


def trainer(config: str, args: argparse.Namespace) -> List[str]:
    """The command that trains with a config on some processes."""
    if args.processes > 1:
        script = str(TOOLS / 'dist_train.sh')
        return ['bash', script, config, str(args.processes)]
    return [sys.executable, str(TOOLS / 'train.py'), config]


def train_backbone(args: argparse.Namespace) -> str:
    """What the rows start from; trained once."""
    if args.backbone is not None:
        check_checkpoint(args.backbone, '--backbone')
        return args.backbone
    folder = Path(args.work_dir) / 'backbone'
    done = folder / 'done.json'
    if not done.exists():
        run_training(
            [*trainer(BACKBONE, args), '--work-dir', str(folder), '--resume']
        )
        write_atomically(
            done, json.dumps(find_latest_checkpoint(str(folder))).encode()
        )
    return json.loads(done.read_text())


def train_command(
    name: str,
    folder: Path,
    iterations: int,
    args: argparse.Namespace,
    *options: str,
) -> List[str]:
    """The command that trains a row, or goes on with it."""
    start = ['--resume']
    if find_latest_checkpoint(str(folder)) is None:
        start = ['--load-from', train_backbone(args)]
    warmup = max(1, min(WARMUP, iterations // 10))
    return [
        *trainer(config_of(name), args),
        *('--work-dir', str(folder), *start, '--cfg-options'),
        f'train_cfg.max_iters={iterations}',
        f'param_scheduler.0.end={warmup}',
        f'param_scheduler.1.begin={warmup}',
        f'param_scheduler.1.end={iterations}',
        *options,
        *args.cfg_options,
    ]


def run_training(command: Sequence[str]) -> None:
    # Two processes of one thread each take three quarters of the time of
    # one with two: the tensors are small.
    environment = {'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable}
    done = subprocess.run(
        command, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        # It has said what was wrong.
        raise SystemExit(done.returncode)


def iterations_of(name: str, args: argparse.Namespace) -> int:
    """How many training steps the budget is; measured once a row."""
    if args.iters is not None:
        return args.iters
    folder = Path(args.work_dir) / 'trials' / name
    file = folder / 'iterations.json'
    if not file.exists():
        run_training(
            train_command(
                name,
                folder,
                TRIAL_ITERS,
                args,
                'default_hooks.logger.interval=10',
                'log_processor.window_size=10',
            )
        )
        found = max(2, int(60 * args.minutes / seconds_a_step(folder)))
        write_atomically(file, json.dumps(found).encode())
    return json.loads(file.read_text())


def seconds_a_step(folder: Path) -> float:
    """Mean time of the last logged steps; the first ones take longer."""
    times = [
        record['time']
        for file in sorted(folder.glob('*/vis_data/scalars.json'))
        for record in map(json.loads, file.read_text().splitlines())
        if 'loss' in record
    ]
    if not times:
        raise InputError.of(
            folder, 'logged steps', 0, 'a trial that was logged'
        )
    return times[-1]


# ---------------------------------------------------------------- a row, whole


def run_row(name: str, args: argparse.Namespace) -> Dict[str, Any]:
    """Train and score a row, unless that is done."""
    folder = Path(args.work_dir) / name
    done = finished(name, args)
    if done is not None:
        return done
    iterations = iterations_of(name, args)
    command = train_command(name, folder / 'train', iterations, args)
    if not (folder / 'train' / f'iter_{iterations}.pth').exists():
        run_training(command)
    checkpoint = find_latest_checkpoint(str(folder / 'train'))
    if checkpoint is None:
        raise InputError.of(folder, 'checkpoint', None, 'one, after training')
    scores, wrong = (
        evaluate(name, checkpoint, folder / 'test', args, wrong)
        for wrong in (False, True)
    )
    train_mini = load_tool('train_mini')
    result = {
        'row': name,
        'what': ROWS[name].what,
        'config': config_of(name),
        'settings': settings_of(args),
        'parameters': count_parameters(config_of(name)),
        'iterations': iterations,
        'minutes': round(train_mini.training_seconds(folder) / 60, 1),
        'test': scores,
        'test_with_wrong_references': wrong,
        'commit': train_mini.current_commit(),
        'command': shlex.join(command[1:]),
    }
    write_atomically(
        folder / 'result.json', (json.dumps(result, indent=2) + '\n').encode()
    )
    return result


def finished(name: str, args: argparse.Namespace) -> Optional[Dict[str, Any]]:
    """A row's result, if there is one.

    Raises:
        InputError: It was made with other settings.
    """
    file = Path(args.work_dir) / name / 'result.json'
    if not file.exists():
        return None
    result = json.loads(file.read_text())
    if result['settings'] != settings_of(args):
        raise InputError.of(
            file,
            'settings',
            result['settings'],
            f'{settings_of(args)}, or another --work-dir',
        )
    return result


def evaluate(
    name: str,
    checkpoint: str,
    folder: Path,
    args: argparse.Namespace,
    wrong: bool,
) -> Dict[str, float]:
    """Score a row on the test set."""
    arguments = [config_of(name), checkpoint, '--work-dir', str(folder)]
    if wrong:
        arguments.append('--wrong-references')
    kind = 'wrong' if wrong else 'right'
    # Runs within a second would have the same name.
    arguments += ['--cfg-options', f'experiment_name=ablation-{name}-{kind}']
    metrics = load_tool('test').main([*arguments, *args.cfg_options])
    return {key: round(float(value), 2) for key, value in metrics.items()}


def count_parameters(config: str) -> int:
    cfg = load_config(config)
    init_default_scope('mmdet')
    return sum(p.numel() for p in MODELS.build(cfg.model).parameters())


# ------------------------------------------------------------------- the table


def write_table(results: List[Dict[str, Any]], out: str) -> None:
    """Write Markdown and CSV of the rows that are finished."""
    lines = [table_line(result, results) for result in results]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    write_atomically(f'{out}.csv', text.getvalue().encode())
    write_atomically(f'{out}.md', as_markdown(results, lines).encode())


def table_line(
    result: Dict[str, Any], results: List[Dict[str, Any]]
) -> Dict[str, Any]:
    """One row's entries, by column."""
    test = result['test']
    base = [r['test']['J&F'] for r in results if r['row'] == 'base']
    return {
        'row': result['row'],
        'what': result['what'],
        'J&F': test['J&F'],
        'to base': round(test['J&F'] - base[0], 2) if base else '',
        'wrong': result['test_with_wrong_references']['J&F'],
        **{kind: test.get(f'J&F/{kind}', '') for kind in KINDS},
        'parameters (M)': round(result['parameters'] / 1e6, 3),
        'iterations': result['iterations'],
        'minutes': result['minutes'],
    }


def as_markdown(
    results: List[Dict[str, Any]], lines: List[Dict[str, Any]]
) -> str:
    """The table with what is needed to make it again."""
    columns = list(lines[0])
    settings = results[0]['settings']
    budget = (
        f'{settings["minutes"]:g} minutes'
        if 'minutes' in settings
        else f'{settings["iterations"]} steps'
    )
    backbone = settings['backbone'] or BACKBONE
    rows = [columns, ['---'] * 2 + ['---:'] * (len(columns) - 2)]
    rows += [[str(line[column]) for column in columns] for line in lines]
    commits = ', '.join(sorted({result['commit'] for result in results}))
    return '\n'.join(
        [
            '# Ablations on RefVOS-Mini',
            '',
            'The ablations of the ReferFormer paper in small: one stage of',
            f'{budget} a row on {settings["processes"]} processes, from a',
            f'backbone that knows shapes ({backbone}),',
            'then J&F on the held-out test set. *Wrong*: every object is',
            'asked for by the words of another object of its video. One run',
            'a row: small differences mean little.',
            '',
            '`make ablations` writes this file (and the CSV beside it) with',
            '`tools/analysis_tools/ablation_table.py`; commit '
            + commits
            + '.',
            '',
            *('| ' + ' | '.join(row) + ' |' for row in rows),
            '',
            'How each row was trained:',
            '',
            '```shell',
            *(result['command'] for result in results),
            '```',
            '',
        ]
    )


def main(argv: Optional[Sequence[str]] = None) -> List[Dict[str, Any]]:
    args = parse_args(argv)
    # Before hours of training.
    for name in ROWS:
        finished(name, args)
    results: List[Dict[str, Any]] = []
    for name in args.rows:
        run_row(name, args)
        found = [finished(other, args) for other in ROWS]
        results = [result for result in found if result is not None]
        write_table(results, args.out)
    print(Path(f'{args.out}.md').read_text())
    return results


if __name__ == '__main__':
    sys.exit(run_tool(main))
