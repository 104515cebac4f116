"""Convert a published MUTR checkpoint to refvos.

The backbone (ResNet, Swin or Video-Swin) is recognised by the keys. DST notes
that its weights need `model.published_habits=True`: give it to the tools with
--cfg-options.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.mutr_keys import MAPPING

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
