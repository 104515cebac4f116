"""Check a prepared data set: what is missing, or how much there is.

    python tools/check_dataset.py ref-youtube-vos data/ref-youtube-vos

One line for each thing that is missing, and exit status 1; otherwise the
videos and expressions that the benchmark's config uses. Pixels are not
decoded.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope

from refvos.datasets.layout import datasets_of, find_benchmarks
from refvos.engine.cli import load_config, run_tool
from refvos.errors import InputError

INCOMPLETE = 1
CONFIGS = Path(__file__).parents[1] / 'configs/_base_/datasets'


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    names = sorted(find_benchmarks())
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('benchmark', choices=names, help=', '.join(names))
    parser.add_argument('data_root', help='folder of the data set')
    parser.add_argument(
        '--lines',
        type=int,
        default=50,
        help='show at most so many of what is missing (default: 50)',
    )
    return parser.parse_args(argv)


def find_config(benchmark: str) -> Optional[Path]:
    """The base config of a benchmark: ``refcoco`` is ``ref_coco_*.py``."""
    name = benchmark.replace('-', '')
    stems = {path: path.stem.replace('_', '') for path in CONFIGS.glob('*.py')}
    found = [path for path, stem in stems.items() if stem.startswith(name)]
    return min(found, key=lambda path: (len(path.stem), path), default=None)


def count_items(benchmark: str, data_root: str) -> List[Dict[str, Any]]:
    """Load the lists of the benchmark's config and count.

    Returns:
        A dict for each data set of the config's loaders: what it is, its
        videos and its expressions.

    Raises:
        InputError: An annotation file can't be used.
    """
    file = find_config(benchmark)
    if file is None:
        return []
    init_default_scope('mmdet')
    counts = []
    for described in datasets_of(load_config(str(file)), data_root):
        told = {
            key: value
            for key, value in described.items()
            if isinstance(value, str) and key not in ('type', 'data_root')
        }
        name = ' '.join(told.values()) or described['type']
        try:
            dataset = DATASETS.build(described)
        except InputError as error:
            raise InputError(f'{error} ({name})') from error
        items = [dataset.get_data_info(i) for i in range(len(dataset))]
        counts.append(
            {
                'name': name,
                # Some data sets make an item of each annotated frame.
                'videos': len({item['video_id'] for item in items}),
                'expressions': sum(len(i['references']) for i in items),
            }
        )
    return counts


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Check a folder; ends the process with 1 where something is missing."""
    args = parse_args(argv)
    root = Path(args.data_root).expanduser()
    counts: List[Dict[str, Any]] = []
    try:
        missing = find_benchmarks()[args.benchmark](str(root))
        if not missing:
            counts = count_items(args.benchmark, str(root))
    # Of an annotation file: there, but of no use.
    except InputError as error:
        missing = [str(error)]
    for line in missing[: args.lines]:
        print(line)
    if len(missing) > args.lines:
        print(f'and {len(missing) - args.lines} more')
    if missing:
        print(f'{root} is not complete: {len(missing)} missing')
        sys.exit(INCOMPLETE)
    print(f'{root} is complete')
    for count in counts:
        print(
            f'{count["name"]}: {count["videos"]} videos, '
            f'{count["expressions"]} expressions'
        )


if __name__ == '__main__':
    sys.exit(run_tool(main))
