"""Convert published VGGish weights (torchvggish's) to refvos.

DST holds the weights as `sound_encoder.vggish....`; start from it with
`load_from`, or with
    model.sound_encoder.vggish.init_cfg = dict(
        type='Pretrained', checkpoint=DST, prefix='sound_encoder.vggish.')
The published file can also be given there as it is, without prefix.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.key_mapping import KeyMapping

PART = 'sound_encoder.vggish.'

MAPPING = KeyMapping(
    [
        (r'(?:features|embeddings)\.\d+\.(?:weight|bias)', rf'{PART}\g<0>'),
    ],
    [(r'pproc\..+', 'PCA after the last layer, which is not part of it')],
    part=PART,
)

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
