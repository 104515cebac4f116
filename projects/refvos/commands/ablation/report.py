"""Report finished rows, as Markdown and CSV."""

import csv
import io
from statistics import mean
from textwrap import fill
from typing import Any, Dict, List, Tuple

from ...io.atomic import write_atomically
from .table import Table

Results = List[Dict[str, Any]]
# Columns of text; numbers are aligned at the right.
NUM_TEXTS = 2


def write_report(results: Results, table: Table, out: str) -> None:
    """Write ``<out>.md`` and ``<out>.csv``.

    Args:
        results: Of the finished trainings, see :meth:`Ablation.run`; those
            of one row follow each other.
        table: The table they belong to.
        out: Path without suffix.
    """
    by_row: Dict[str, Results] = {}
    for result in results:
        by_row.setdefault(result['row'], []).append(result)
    lines = [table_line(runs, by_row, table) for runs in by_row.values()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    write_atomically(f'{out}.csv', text.getvalue().encode())
    write_atomically(f'{out}.md', as_markdown(results, lines, table).encode())


def table_line(
    runs: Results, by_row: Dict[str, Results], table: Table
) -> Dict[str, Any]:
    """Return the entries of a row by column.

    Scores are means over the trainings of the row; where a table has several
    seeds, the lowest and the highest stand beside them.

    Args:
        runs: Results of the row's trainings.
        by_row: Results of all rows.
        table: The table they belong to.
    """
    first = runs[0]
    score, low, high = summarize(runs, 'test', 'J&F')
    wrong, *wrong_range = summarize(runs, 'test_with_wrong_references', 'J&F')
    base = by_row.get('base')
    to_base: Any = ''
    if base:
        to_base = round(score - summarize(base, 'test', 'J&F')[0], 2)
    line = {
        'row': first['row'],
        'what': first['what'],
        'J&F': score,
        'lowest, highest': f'{low}, {high}',
        'to base': to_base,
        'wrong': wrong,
        'wrong: lowest, highest': ', '.join(map(str, wrong_range)),
        **{
            cue: summarize(runs, 'test', f'J&F/{cue}')[0]
            if f'J&F/{cue}' in first['test']
            else ''
            for cue in table.cues
        },
        'trainings': len(runs),
        'parameters (M)': round(first['parameters'] / 1e6, 3),
        'iterations': first['iterations'],
        'minutes': round(mean(run['minutes'] for run in runs), 1),
    }
    if not table.seeds:
        for name in ('lowest, highest', 'wrong: lowest, highest', 'trainings'):
            del line[name]
    return line


def summarize(
    runs: Results, test: str, metric: str
) -> Tuple[float, float, float]:
    """Return mean, minimum and maximum of a metric over trainings."""
    values = [run[test][metric] for run in runs]
    return round(mean(values), 2), min(values), max(values)


def as_markdown(
    results: Results, lines: List[Dict[str, Any]], table: Table
) -> str:
    """Format the table, with what is needed to make it again."""
    columns = list(lines[0])
    rows = [
        columns,
        ['---'] * NUM_TEXTS + ['---:'] * (len(columns) - NUM_TEXTS),
        *([str(line[column]) for column in columns] for line in lines),
    ]
    commits = ', '.join(sorted({result['commit'] for result in results}))
    about = describe(results[0]['settings'], table)
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


def describe(settings: Dict[str, Any], table: Table) -> str:
    """Describe in a paragraph how the rows were trained and scored."""
    budget = (
        f'{settings["minutes"]:g} minutes'
        if 'minutes' in settings
        else f'{settings["iterations"]} steps'
    )
    start = settings['backbone']
    if start is None:
        start = f'{table.about_start} ({list(table.starts.values())[-1]})'
    trainings = 'One run a row: small differences mean little.'
    if table.seeds:
        seeds = ', '.join(map(str, table.seeds))
        trainings = (
            f'Means over one training for each of the seeds {seeds}, with the '
            'lowest and the highest; all start from the same weights.'
        )
    return (
        f'{table.about} {budget} a row on {settings["processes"]} processes, '
        f'from {start}, then J&F on the held-out test set. '
        '*Wrong*: every object is asked for by the words of another object '
        f'of its video. {trainings}'
    )
