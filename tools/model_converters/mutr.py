"""Convert a published MUTR checkpoint to refvos.

The backbone (ResNet, Swin or Video-Swin) is recognised by the keys. Test
it with model.published_habits=True, which its config for published weights
sets.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.mutr_keys import MAPPING

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
