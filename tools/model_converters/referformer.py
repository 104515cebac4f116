"""Convert a published ReferFormer checkpoint to refvos.

The backbone (ResNet, Swin or Video-Swin) is recognised by the keys.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.referformer_keys import MAPPING

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
