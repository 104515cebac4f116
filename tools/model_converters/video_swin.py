"""Convert Kinetics weights of Video Swin Transformer to refvos.

SRC is a checkpoint as Microsoft publishes it or of mmaction
(`backbone.layers.0.blocks.0...`), or one of torchvision (`features.0.0...`).
DST holds the weights as `backbone....`; start from it with
`--load-from DST --allow-missing`, or with
    model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=DST, prefix='backbone.')
torchvision's own files can be given there unchanged, without prefix.

Kinetics models embed two frames at a time (patches of 2x4x4), ReferFormer one
(1x4x4). The embedding is summed over time: a frame then gives the output of
the original for that frame shown twice, and the later layers receive values
of the size that they were trained on.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.video_swin_keys import MAPPING

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
