"""Train the mini ablations with the same budget each and write their table.

    python tools/analysis_tools/ablation_table.py
    python tools/analysis_tools/ablation_table.py --rows base n5 --minutes 5
    python tools/analysis_tools/ablation_table.py --table mutr-motion

Tables: `referformer`, its paper's ablations in small; `mutr-motion`, what MTA
and MTI are for, on scenes whose objects only their motion tells apart.

All rows start from the same weights: a backbone that has learned shapes
before, as the paper's start from Kinetics; for `mutr-motion` a model that has
learned to find objects, too. Their training does not count.

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
from textwrap import fill
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from refvos.engine import find_latest_checkpoint
from refvos.engine.cli import check_checkpoint, load_config, run_tool
from refvos.errors import InputError
from refvos.io.atomic import write_atomically

TOOLS = Path(__file__).resolve().parents[1]
CONFIGS = Path('configs/mini/ablations')
TRIAL_ITERS = 30
WARMUP = 100


class Row(NamedTuple):
    """A line of the table."""

    config: str
    what: str


class Table(NamedTuple):
    """Rows that are compared, and where they come from and go to.

    Args:
        rows: By name; 'base' is what the others are compared with.
        starts: Folder -> config of the trainings before all rows, each from
            the weights of the one before.
        about_start: What the last one's weights are.
        work_dir: Where rows are trained by default.
        out: Where the table goes by default, without suffix.
        target: Of the Makefile, which makes the data and the table.
        title: Of the Markdown.
        about: What the rows are; goes on with how long they train.
        kinds: Kinds of expressions with a column.
    """

    rows: Dict[str, Row]
    starts: Dict[str, str]
    about_start: str
    work_dir: str
    out: str
    target: str
    title: str
    about: str
    kinds: Tuple[str, ...] = ()


REFERFORMER = Table(
    rows={
        'base': Row('referformer_mini_base', 'N = 1, T = 2'),
        'bottom-up': Row('bottom-up_mini', 'base line: no queries (Table 4)'),
        'no-fpn-fusion': Row(
            'referformer_mini_no-fpn-fusion',
            'pyramid without words (Table 4)',
        ),
        'no-relative-coordinates': Row(
            'referformer_mini_no-relative-coordinates',
            'kernels without coordinates (Table 4)',
        ),
        'n5': Row('referformer_mini_n5', 'N = 5 (Table 6a)'),
        't1': Row('referformer_mini_t1', 'T = 1 (Table 6b)'),
        't3': Row('referformer_mini_t3', 'T = 3 (Table 6b)'),
    },
    starts={'backbone': 'configs/mini/backbone_mini.py'},
    about_start='a backbone that knows shapes',
    work_dir='work_dirs/ablations_mini',
    out='docs/ablations_mini',
    target='ablations',
    title='Ablations on RefVOS-Mini',
    about='The ablations of the ReferFormer paper in small: one stage of',
    kinds=('appearance', 'place', 'relation', 'order', 'motion'),
)
MUTR_MOTION = Table(
    rows={
        'base': Row('mutr_mini_motion_base', 'MTA and MTI'),
        'no-mta': Row('mutr_mini_motion_no-mta', 'without MTA (Table 7)'),
        'no-mti': Row('mutr_mini_motion_no-mti', 'without MTI (Table 7)'),
        'neither': Row(
            'mutr_mini_motion_neither', 'without both (Table 7, first row)'
        ),
    },
    starts={
        'backbone': 'configs/mini/backbone_mini_motion.py',
        'start': 'configs/mini/mutr_mini_motion_start.py',
    },
    about_start='a model without both that finds objects',
    work_dir='work_dirs/mutr_motion_mini',
    out='docs/mutr_motion_mini',
    target='mutr-motion',
    title='MTA and MTI on scenes that need time',
    about="MUTR with and without its temporal parts (its paper's Table 7 in "
    'small), on a RefVOS-Mini whose scenes have two objects that look the '
    'same, one of them still: motion alone tells them apart. The pyramid '
    'sees single frames here, so that frames meet nowhere else, but for the '
    'mean score over frames that picks the answer. Neither part knows which '
    'frame comes first; what moves can be told without. Training asks for '
    'the moving one nine times in ten, the test for both alike. '
    'One stage of',
)
TABLES = {'referformer': REFERFORMER, 'mutr-motion': MUTR_MOTION}


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--table',
        choices=list(TABLES),
        default='referformer',
        help='which rows, their folders and their text (default: referformer)',
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
        metavar='ROW',
        help='which rows to train (default: all; of '
        + '; '.join(f'{key}: {", ".join(t.rows)}' for key, t in TABLES.items())
        + ')',
    )
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help="where rows are trained (default: the table's, in work_dirs)",
    )
    parser.add_argument(
        '--out',
        metavar='PREFIX',
        help="where the table goes, without suffix (default: the table's, "
        'in docs)',
    )
    parser.add_argument(
        '--backbone',
        metavar='CHECKPOINT',
        help='weights that every row starts from (default: trained first)',
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
    table = TABLES[args.table]
    args.rows = args.rows or list(table.rows)
    for name in args.rows:
        if name not in table.rows:
            raise InputError.of(
                '--rows',
                f'row of {args.table}',
                name,
                f'of {list(table.rows)}',
            )
    args.work_dir = args.work_dir or table.work_dir
    args.out = args.out or table.out
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


def config_of(name: str, args: argparse.Namespace) -> str:
    """A row's config."""
    return str(CONFIGS / f'{TABLES[args.table].rows[name].config}.py')


# -------------------------------------------------------------------- training


def trainer(config: str, args: argparse.Namespace) -> List[str]:
    """The command that trains with a config on some processes."""
    if args.processes > 1:
        # As one would type it; the page of results has the command, too.
        script = os.path.relpath(TOOLS / 'dist_train.sh')
        return ['bash', script, config, str(args.processes)]
    return [sys.executable, str(TOOLS / 'train.py'), config]


def train_start(args: argparse.Namespace) -> str:
    """What the rows start from; trained once."""
    if args.backbone is not None:
        check_checkpoint(args.backbone, '--backbone')
        return args.backbone
    weights = ''
    for name, config in TABLES[args.table].starts.items():
        folder = Path(args.work_dir) / name
        done = folder / 'done.json'
        if not done.exists():
            start = ['--resume']
            if weights and find_latest_checkpoint(str(folder)) is None:
                start = ['--load-from', weights]
            run_training(
                [*trainer(config, args), '--work-dir', str(folder), *start]
            )
            write_atomically(
                done, json.dumps(find_latest_checkpoint(str(folder))).encode()
            )
        # As one would type it, too.
        weights = os.path.relpath(json.loads(done.read_text()))
    return weights


def train_command(
    name: str,
    folder: Path,
    iterations: int,
    args: argparse.Namespace,
    *options: str,
    fresh: bool = False,
) -> List[str]:
    """The command that trains a row, or goes on with it unless fresh."""
    start = ['--resume']
    if fresh or find_latest_checkpoint(str(folder)) is None:
        start = ['--load-from', train_start(args)]
    warmup = max(1, min(WARMUP, iterations // 10))
    return [
        *trainer(config_of(name, args), args),
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
    seconds = train_mini.training_seconds([folder / 'train'])
    begun = train_command(name, folder / 'train', iterations, args, fresh=True)
    result = {
        'row': name,
        'what': TABLES[args.table].rows[name].what,
        'config': config_of(name, args),
        'settings': settings_of(args),
        'parameters': count_parameters(config_of(name, args)),
        'iterations': iterations,
        'minutes': round(seconds / 60, 1),
        'test': scores,
        'test_with_wrong_references': wrong,
        'commit': train_mini.current_commit(),
        'command': shlex.join(begun[1:]),
    }
    write_atomically(
        folder / 'result.json', (json.dumps(result, indent=2) + '\n').encode()
    )
    return result


def finished(name: str, args: argparse.Namespace) -> Optional[Dict[str, Any]]:
    """A row's result, if there is one.

    Raises:
        InputError: It is another table's, or was made with other settings.
    """
    file = Path(args.work_dir) / name / 'result.json'
    if not file.exists():
        return None
    result = json.loads(file.read_text())
    # Rows of two tables may have one name.
    config = config_of(name, args)
    if result['config'] != config:
        raise InputError.of(
            file,
            'config',
            result['config'],
            f'{config}, or another --work-dir',
        )
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
    arguments = [config_of(name, args), checkpoint]
    arguments += ['--work-dir', str(folder)]
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


def write_table(results: List[Dict[str, Any]], table: Table, out: str) -> None:
    """Write Markdown and CSV of the rows that are finished."""
    lines = [table_line(result, results, table) for result in results]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    write_atomically(f'{out}.csv', text.getvalue().encode())
    write_atomically(f'{out}.md', as_markdown(results, lines, table).encode())


def table_line(
    result: Dict[str, Any], results: List[Dict[str, Any]], table: Table
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
        **{kind: test.get(f'J&F/{kind}', '') for kind in table.kinds},
        'parameters (M)': round(result['parameters'] / 1e6, 3),
        'iterations': result['iterations'],
        'minutes': result['minutes'],
    }


def as_markdown(
    results: List[Dict[str, Any]], lines: List[Dict[str, Any]], table: Table
) -> str:
    """The table with what is needed to make it again."""
    columns = list(lines[0])
    settings = results[0]['settings']
    budget = (
        f'{settings["minutes"]:g} minutes'
        if 'minutes' in settings
        else f'{settings["iterations"]} steps'
    )
    start = settings['backbone']
    if start is None:
        start = f'{table.about_start} ({list(table.starts.values())[-1]})'
    rows = [columns, ['---'] * 2 + ['---:'] * (len(columns) - 2)]
    rows += [[str(line[column]) for column in columns] for line in lines]
    commits = ', '.join(sorted({result['commit'] for result in results}))
    about = (
        f'{table.about} {budget} a row on {settings["processes"]} processes, '
        f'from {start}, then J&F on the held-out test set. '
        '*Wrong*: every object is asked for by the words of another object '
        'of its video. One run a row: small differences mean little.'
    )
    return '\n'.join(
        [
            f'# {table.title}',
            '',
            fill(about, 80, break_on_hyphens=False, break_long_words=False),
            '',
            f'`make {table.target}` writes this file (and the CSV beside it) '
            'with',
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
    table = TABLES[args.table]
    # Before hours of training.
    for name in table.rows:
        finished(name, args)
    results: List[Dict[str, Any]] = []
    for name in args.rows:
        run_row(name, args)
        found = [finished(other, args) for other in table.rows]
        results = [result for result in found if result is not None]
        write_table(results, table, args.out)
    print(Path(f'{args.out}.md').read_text())
    return results


if __name__ == '__main__':
    sys.exit(run_tool(main))
