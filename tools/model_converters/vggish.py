"""Convert published VGGish weights (torchvggish's) to refvos.

DST holds the weights as `sound_encoder.vggish....`; start from it with
`--load-from DST --allow-missing`, or with
    model.sound_encoder.vggish.init_cfg = dict(
        type='Pretrained', checkpoint=DST, prefix='sound_encoder.vggish.')
The published file can be given there unchanged, without prefix.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.vggish_keys import MAPPING

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
