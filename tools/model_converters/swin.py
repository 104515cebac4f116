"""Convert ImageNet weights of Swin Transformer to refvos.

SRC is a checkpoint as Microsoft publishes it (`layers.0.blocks.0...`), or one
of mmpretrain or mmdet (`backbone.stages.0.blocks.0...`; of a detector only
the backbone is taken). DST holds the weights as `backbone....`; start from it
with `--load-from DST --allow-missing`, or with
    model.backbone.init_cfg = dict(type='Pretrained', checkpoint=DST)

The norms of the backbone's outputs are not in these checkpoints and keep
their initial values, as in the published code.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.swin_keys import MAPPING

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
