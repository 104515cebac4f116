"""Convert Ref-DAVIS17 to Ref-YouTube-VOS's layout."""

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from refvos.datasets.converters import convert_ref_davis17
from refvos.engine.cli import run_tool


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='SRC holds DAVIS/{JPEGImages,Annotations_unsupervised}/480p, '
        'DAVIS/ImageSets/2017/{train,val}.txt and '
        'davis_text_annotations/Davis17_annot{1,2}{,_full_video}.txt. '
        'DST gets {train,valid}/{JPEGImages,Annotations,meta.json} and '
        'meta_expressions; it appears when all is written. Lines that are '
        'odd or left out are reported on stderr.',
    )
    parser.add_argument('src', metavar='SRC', help='the raw data set')
    parser.add_argument('dst', metavar='DST', help='a new or empty folder')
    parser.add_argument(
        '--copy',
        action='store_true',
        help='copy frames and masks (default: link to those in SRC)',
    )
    parser.add_argument(
        '--quiet', action='store_true', help='show no progress bar'
    )
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> dict:
    args = parse_args(argv)
    summary = convert_ref_davis17(
        args.src, args.dst, copy=args.copy, progress=not args.quiet
    )
    for problem in summary.pop('problems'):
        print(f'note: {problem}', file=sys.stderr)
    for split, counts in summary.items():
        listed = ', '.join(f'{value} {name}' for name, value in counts.items())
        print(f'{split}: {listed}')
    return summary


if __name__ == '__main__':
    sys.exit(run_tool(main))
