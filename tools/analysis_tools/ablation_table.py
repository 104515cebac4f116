"""Train the mini ablations with the same budget each and write their table.

    python tools/analysis_tools/ablation_table.py
    python tools/analysis_tools/ablation_table.py --rows base n5 --minutes 5
    python tools/analysis_tools/ablation_table.py --table mutr-motion

Tables: `referformer`, the ablations of its paper in small; `mutr-motion`,
MUTR's MTA and MTI on scenes whose objects only motion tells apart;
`proxyformer-motion`, ProxyFormer's CMIE and JSC on them, three trainings a
row. A file of `ablation_tables/` describes each; a new row is an entry there.

All rows start from the same weights: a backbone that was trained on shapes,
as the paper's start from Kinetics; on the motion scenes from a model that was
also trained to find objects. The time of these trainings does not count.

Writes ``<out>.md`` and ``<out>.csv``: the score of every row on the held-out
test set, with the right references and with those of another object. When it
is started again, it goes on where it stopped; finished rows stay as they are,
and the table shows all of them.

With --minutes, a short trial finds how many steps a row gets, so that rows
whose steps take longer get fewer; with --iters all get the same number.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict, List, Optional

from refvos.commands.ablation import Ablation, load_tables, write_report
from refvos.engine.cli import run_tool
from refvos.errors import InputError

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parent
TABLES = load_tables(HERE / 'ablation_tables')
DEFAULT_TABLE = 'referformer'


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        '--table',
        choices=list(TABLES),
        default=DEFAULT_TABLE,
        help='which rows, with their folders and their text '
        f'(default: {DEFAULT_TABLE})',
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        '--minutes',
        type=float,
        default=15.0,
        help='training time per row (default: 15)',
    )
    budget.add_argument(
        '--iters', type=int, help='training steps per row, instead of a time'
    )
    names = '; '.join(
        f'{key}: {", ".join(TABLES[key].rows)}' for key in TABLES
    )
    add(
        '--rows',
        nargs='+',
        metavar='ROW',
        help=f'which rows to train (default: all; {names})',
    )
    add(
        '--work-dir',
        metavar='DIR',
        help="where rows are trained (default: the table's, in work_dirs)",
    )
    add(
        '--out',
        metavar='PREFIX',
        help="where the table is written, without suffix (default: the table's"
        ', in docs)',
    )
    add(
        '--backbone',
        metavar='CHECKPOINT',
        help='weights that every row starts from (default: trained first)',
    )
    add(
        '--processes',
        type=int,
        default=2,
        help='number of processes per training, of one thread each '
        '(default: 2)',
    )
    add(
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
                f'one of {list(table.rows)}',
            )
    args.work_dir = args.work_dir or table.work_dir
    args.out = args.out or table.out
    return args


def make_ablation(args: argparse.Namespace) -> Ablation:
    """Make the trainings that the arguments describe."""
    return Ablation(
        TABLES[args.table],
        SCRIPTS,
        Path(args.work_dir),
        args.iters,
        args.minutes,
        args.backbone,
        args.processes,
        tuple(args.cfg_options),
    )


def main(argv: Optional[Sequence[str]] = None) -> List[Dict[str, Any]]:
    args = parse_args(argv)
    table, ablation = TABLES[args.table], make_ablation(args)
    # One training of a random seed, or one per seed.
    seeds: Sequence[Optional[int]] = table.seeds or (None,)
    trainings = [(name, seed) for name in table.rows for seed in seeds]
    # Refuse results of other settings before hours of training.
    for each in trainings:
        ablation.finished(*each)
    results: List[Dict[str, Any]] = []
    # All rows with the first seed, then all with the next one: a table that
    # is stopped early compares equal numbers.
    for seed in seeds:
        for name in args.rows:
            ablation.run(name, seed)
            found = [ablation.finished(*each) for each in trainings]
            results = [result for result in found if result is not None]
            write_report(results, table, args.out)
    print(Path(f'{args.out}.md').read_text())
    return results


if __name__ == '__main__':
    sys.exit(run_tool(main))
