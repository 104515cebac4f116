"""Make RefVOS-Mini: moving shapes, masks and referring expressions."""

import argparse
import logging
import sys

from refvos.errors import InputError
from refvos.mini import make_mini
from refvos.mini.writers import WRITERS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog='Equal arguments give equal bytes. A folder that already '
        'holds the same set does not change; an unfinished or different '
        'RefVOS-Mini is replaced; any other folder is refused. '
        'DST/contact_sheet.jpg shows examples.',
    )
    add = parser.add_argument
    add('dst', metavar='DST', help='folder of the data set')
    add('--train', type=int, default=1500, help='training videos')
    add('--val', type=int, default=40, help='validation videos')
    add('--test', type=int, default=80, help='test videos')
    add('--frames', type=int, default=8, help='frames per video')
    add(
        '--size',
        type=int,
        nargs=2,
        default=(96, 128),
        metavar=('H', 'W'),
        help='height and width of a frame in pixels',
    )
    add('--seed', type=int, default=0, help='random seed of the scenes')
    add(
        '--workers',
        type=int,
        default=2,
        help='number of processes; files do not depend on it',
    )
    add(
        '--layouts',
        nargs='+',
        default=['ref-youtube-vos'],
        metavar='LAYOUT',
        help=f'layouts to write, of: {", ".join(WRITERS)}',
    )
    add(
        '--scenes',
        choices=('mixed', 'one-moves'),
        default='mixed',
        help='one-moves: two objects of equal looks, one of them still; '
        'layouts with sounds have their own scenes',
    )
    return parser.parse_args()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    try:
        summary = make_mini(**vars(parse_args()))
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for split, counts in summary['counts'].items():
        listed = ', '.join(f'{value} {name}' for name, value in counts.items())
        print(f'{split}: {listed}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
