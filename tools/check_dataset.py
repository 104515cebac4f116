"""Check that a prepared data set is complete and count what it holds.

    python tools/check_dataset.py ref-youtube-vos data/ref-youtube-vos

Prints one line for each missing file or folder and ends with status 1. If
nothing is missing, opens all masks and reads the sizes of their frames: masks
that are broken or in colour, that differ from their frames in size, that hold
0 and 255 instead of object ids, or that show none of the referred objects,
also end with status 1. Then counts the videos and expressions that the config
of the benchmark uses.

This takes minutes for the largest sets, with a progress bar; --videos opens
those of some videos only, and the last lines say so.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar

from refvos.datasets import BaseReferringDataset
from refvos.datasets.layout import (
    datasets_of,
    find_benchmarks,
    with_all_splits,
)
from refvos.datasets.mask_check import MaskReport, check_items
from refvos.engine.cli import load_config, run_tool
from refvos.errors import InputError, describe

INCOMPLETE = 1
# Of a data set's config, what does not tell it from the others.
UNNAMED = ('type', 'data_root', 'with_masks')
CONFIGS = Path(__file__).parents[1] / 'configs/_base_/datasets'


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    names = sorted(find_benchmarks())
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'benchmark',
        choices=names,
        metavar='BENCHMARK',
        help='whose layout the folder has: ' + ', '.join(names),
    )
    parser.add_argument('data_root', help='folder of the data set')
    parser.add_argument(
        '--lines',
        type=int,
        default=50,
        help='print at most this many lines (default: 50)',
    )
    parser.add_argument(
        '--videos',
        type=number_or_all,
        default=None,
        metavar='N',
        help='sample: open the masks of this many videos per split only, '
        "evenly spaced; 0 for none, 'all' for all (default: all)",
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        metavar='N',
        help='open the masks of large sets in this many processes (default: '
        'one per core, at most 8)',
    )
    return parser.parse_args(argv)


def number_or_all(text: str) -> Optional[int]:
    """Parse a number; None stands for 'all'."""
    if text == 'all':
        return None
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: a number or 'all'")
    return int(text)


def find_config(benchmark: str) -> Optional[Path]:
    """Find the base config of a benchmark: of refcoco ``ref_coco_*.py``."""
    name = benchmark.replace('-', '')
    stems = {path: path.stem.replace('_', '') for path in CONFIGS.glob('*.py')}
    found = [path for path, stem in stems.items() if stem.startswith(name)]
    return min(found, key=lambda path: (len(path.stem), path), default=None)


def load_datasets(
    benchmark: str, data_root: str
) -> List[Tuple[str, BaseReferringDataset]]:
    """Build the data sets in the dataloaders of the benchmark's config.

    Returns:
        Pairs of a description, such as the split, and the data set, which
        has one item per video or per annotated frame.

    Raises:
        InputError: An annotation file cannot be used.
    """
    file = find_config(benchmark)
    if file is None:
        return []
    init_default_scope('mmdet')
    datasets = []
    configured = datasets_of(load_config(str(file)), data_root)
    for described in with_all_splits(benchmark, configured):
        named = {
            key: value
            for key, value in described.items()
            if isinstance(value, str) and key not in UNNAMED
        }
        name = ' '.join(named.values()) or described['type']
        try:
            datasets.append((name, DATASETS.build(described)))
        except InputError as error:
            raise InputError(f'{error} ({name})') from error
    return datasets


def count_items(
    datasets: Sequence[Tuple[str, BaseReferringDataset]],
) -> List[str]:
    """Count the videos and expressions of data sets; one line each."""
    lines = []
    for name, dataset in datasets:
        items = [dataset.get_data_info(i) for i in range(len(dataset))]
        # Some data sets have one item per annotated frame.
        videos = len({item['video_id'] for item in items})
        expressions = sum(len(item['references']) for item in items)
        lines.append(f'{name}: {videos} videos, {expressions} expressions')
    return lines


def check_videos(
    datasets: Sequence[Tuple[str, BaseReferringDataset]],
    max_videos: Optional[int],
    workers: int = 0,
) -> MaskReport:
    """Check frames and masks, with a progress bar on standard error.

    Args:
        datasets: See :func:`load_datasets`.
        max_videos: Of each data set, spread over it; None for all.
        workers: Number of processes for many videos.
    """
    chosen = [
        (number, index)
        for number, (_, dataset) in enumerate(datasets)
        for index in spread(len(dataset), max_videos)
    ]
    report = MaskReport()
    if not chosen:
        return report
    bar = ProgressBar(len(chosen), file=sys.stderr)
    # Data set -> whether the masks of each of its videos are blank.
    blank: Dict[int, List[Optional[str]]] = defaultdict(list)
    checked = check_items([each for _, each in datasets], chosen, workers)
    for (number, _), found in zip(chosen, checked, strict=True):
        report.errors += found.errors
        report.notes += found.notes
        # Of a video that cannot be read, it is not known.
        if not found.errors:
            blank[number].append(found.blank)
        bar.update()
    print(file=sys.stderr)
    # One video may have blank masks, but not all.
    for files in blank.values():
        if all(files):
            report.errors.append(
                describe(
                    files[0],
                    'objects in the masks',
                    [],
                    f'some, in one of the {len(files)} videos that were read',
                )
            )
    return report


def spread(length: int, count: Optional[int]) -> List[int]:
    """Choose ``count`` indices below ``length``, evenly; None for all."""
    if count is None or count >= length:
        return list(range(length))
    return [index * length // count for index in range(count)]


def describe_opened(
    datasets: Sequence[Tuple[str, BaseReferringDataset]],
    max_videos: Optional[int],
) -> str:
    """Say which masks have been opened.

    An annotated frame counts as a video where items are annotated frames.
    """
    sizes = [len(each) for _, each in datasets if each.with_masks]
    opened = sum(len(spread(size, max_videos)) for size in sizes)
    if opened == sum(sizes):
        return f'masks opened: all, of {opened} videos or annotated frames'
    return (
        f'masks opened: of {opened} of {sum(sizes)} videos or annotated '
        'frames; the others may be wrong (--videos all)'
    )


def show(lines: Sequence[str], max_lines: int) -> None:
    """Print the first lines, and the number of the others."""
    for line in lines[:max_lines]:
        print(line)
    if len(lines) > max_lines:
        print(f'and {len(lines) - max_lines} more')


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Check a folder; exit with status 1 if something is wrong."""
    args = parse_args(argv)
    root = Path(args.data_root).expanduser()
    datasets: List[Tuple[str, BaseReferringDataset]] = []
    try:
        missing = find_benchmarks()[args.benchmark](str(root))
        if not missing:
            datasets = load_datasets(args.benchmark, str(root))
    # An annotation file exists but cannot be used.
    except InputError as error:
        missing = [str(error)]
    if missing:
        show(missing, args.lines)
        print(f'{root} is not complete: {len(missing)} missing')
        sys.exit(INCOMPLETE)
    report = check_videos(datasets, args.videos, args.workers)
    if report.errors:
        show(report.errors, args.lines)
        print(f'{root} is not usable: {len(report.errors)} wrong')
        sys.exit(INCOMPLETE)
    show([f'note: {line}' for line in report.notes], args.lines)
    print(f'{root} is complete')
    print(describe_opened(datasets, args.videos))
    for line in count_items(datasets):
        print(line)


if __name__ == '__main__':
    sys.exit(run_tool(main))
