"""Report finished rows, as Markdown and CSV."""

import csv
import io
from textwrap import fill
from typing import Any, Dict, List

from ...io.atomic import write_atomically
from .table import Table

Results = List[Dict[str, Any]]
# Columns of text; numbers are aligned at the right.
NUM_TEXTS = 2


def write_report(results: Results, table: Table, out: str) -> None:
    """Write ``<out>.md`` and ``<out>.csv``.

    Args:
        results: Of the finished rows, see :meth:`Ablation.run`.
        table: The table they belong to.
        out: Path without suffix.
    """
    lines = [table_line(result, results, table) for result in results]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    write_atomically(f'{out}.csv', text.getvalue().encode())
    write_atomically(f'{out}.md', as_markdown(results, lines, table).encode())


def table_line(
    result: Dict[str, Any], results: Results, table: Table
) -> Dict[str, Any]:
    """Return the entries of a row by column."""
    test = result['test']
    base = [r['test']['J&F'] for r in results if r['row'] == 'base']
    return {
        'row': result['row'],
        'what': result['what'],
        'J&F': test['J&F'],
        'to base': round(test['J&F'] - base[0], 2) if base else '',
        'wrong': result['test_with_wrong_references']['J&F'],
        **{cue: test.get(f'J&F/{cue}', '') for cue in table.cues},
        'parameters (M)': round(result['parameters'] / 1e6, 3),
        'iterations': result['iterations'],
        'minutes': result['minutes'],
    }


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
    return (
        f'{table.about} {budget} a row on {settings["processes"]} processes, '
        f'from {start}, then J&F on the held-out test set. '
        '*Wrong*: every object is asked for by the words of another object '
        'of its video. One run a row: small differences mean little.'
    )
