"""Make RefVOS-Mini: moving shapes, masks, and words that tell them apart."""

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
        epilog='The same arguments give the same bytes. A folder that '
        'already holds just this set is left as it is; an unfinished or '
        'different RefVOS-Mini is replaced; anything else is refused. '
        'Look at DST/contact_sheet.jpg.',
    )
    add = parser.add_argument
    add('dst', metavar='DST', help='folder of the data set')
    add('--train', type=int, default=1500, help='training videos')
    add('--val', type=int, default=40, help='validation videos')
    add('--test', type=int, default=80, help='test videos')
    add('--frames', type=int, default=8, help='frames a video')
    add(
        '--size',
        type=int,
        nargs=2,
        default=(96, 128),
        metavar=('H', 'W'),
        help='height and width of a frame in pixels',
    )
    add('--seed', type=int, default=0, help='other scenes for another seed')
    add(
        '--workers',
        type=int,
        default=2,
        help='processes; they change no byte',
    )
    add(
        '--layouts',
        nargs='+',
        default=['ref-youtube-vos'],
        metavar='LAYOUT',
        help=f'data sets to be laid out like, of: {", ".join(WRITERS)}',
    )
    add(
        '--scenes',
        choices=('mixed', 'one-moves'),
        default='mixed',
        help='one-moves: two objects that look the same, one of them '
        'still; layouts for sounds have scenes of their own',
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
        said = ', '.join(f'{value} {name}' for name, value in counts.items())
        print(f'{split}: {said}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
