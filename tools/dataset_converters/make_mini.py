"""Make RefVOS-Mini: moving shapes, their masks, and words to tell them apart.

python tools/dataset_converters/make_mini.py data/refvos-mini
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Optional

from refvos.engine.cli import run_tool
from refvos.errors import InputError
from refvos.mini import make_mini
from refvos.mini.writers import WRITERS


class HelpFormatter(
    argparse.ArgumentDefaultsHelpFormatter,
    argparse.RawDescriptionHelpFormatter,
):
    """Show defaults, and keep the line breaks of the description."""


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=HelpFormatter,
        epilog='The same arguments give the same files, byte by byte. If DST\n'
        'already holds the same set, it is left as it is; an unfinished or\n'
        'different RefVOS-Mini is replaced; any other folder is refused.\n'
        'DST/contact_sheet.jpg shows some of the videos.',
    )
    add = parser.add_argument
    add('dst', metavar='DST', help='folder of the data set')
    add('--train', type=int, default=1500, help='number of training videos')
    add('--val', type=int, default=40, help='number of validation videos')
    add('--test', type=int, default=80, help='number of test videos')
    add('--frames', type=int, default=8, help='number of frames per video')
    add(
        '--size',
        type=int,
        nargs=2,
        default=(96, 128),
        metavar=('H', 'W'),
        help='height and width of the frames in pixels',
    )
    add('--seed', type=int, default=0, help='another seed gives other scenes')
    add(
        '--workers',
        type=int,
        default=2,
        help='number of processes; the files do not depend on it',
    )
    add(
        '--layouts',
        nargs='+',
        default=['ref-youtube-vos'],
        metavar='LAYOUT',
        help='data sets whose layout is used, of: ' + ', '.join(WRITERS),
    )
    add(
        '--scenes',
        choices=('mixed', 'one-moves'),
        default='mixed',
        help='one-moves: two objects that look the same, of which one '
        'moves; the layouts with sounds have scenes of their own',
    )
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> None:
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    args = parse_args(argv)
    try:
        summary = make_mini(**vars(args))
    except OSError as error:
        raise InputError.of(
            args.dst, 'folder', str(error), 'a folder that can be written'
        ) from error
    for split, counts in summary['counts'].items():
        listed = ', '.join(f'{value} {name}' for name, value in counts.items())
        print(f'{split}: {listed}')


if __name__ == '__main__':
    sys.exit(run_tool(main))
