"""Convert Kinetics weights of Video Swin Transformer to refvos.

SRC is a checkpoint as Microsoft publishes it or of mmaction
(`backbone.layers.0.blocks.0...`), or one of torchvision (`features.0.0...`).
DST holds the weights as `backbone....`; start from it with `load_from`, or
with
    model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=DST, prefix='backbone.')
torchvision's own files can also be given there as they are, without prefix.

Kinetics models embed two frames at a time (patches of 2x4x4), ReferFormer one
(1x4x4). The embedding is summed over time: a frame then gives what the
original gives for that frame shown twice, and the later layers receive values
as large as those that they were trained on.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.key_mapping import KeyMapping, MappingChoice
from refvos.converters.swin_keys import SWIN_DROPPED, video_swin_rules
from refvos.models.backbones import sum_patch_over_time

CLASSIFIER = 'the classifier and the norm before it'
VALUES = [(r'backbone\.patch_embed\.proj\.weight', sum_patch_over_time)]

MMACTION = KeyMapping(
    video_swin_rules(r'backbone\.'),
    [*SWIN_DROPPED, (r'(backbone\.norm3?|cls_head)\..+', CLASSIFIER)],
    VALUES,
    part='backbone.',
)
TORCHVISION = KeyMapping(
    [(r'(?:patch_embed|features)\..+', r'backbone.\g<0>')],
    [*SWIN_DROPPED, (r'(norm|head)\..+', CLASSIFIER)],
    VALUES,
    part='backbone.',
)
MAPPING = MappingChoice(
    [(r'features\.0\.0\..+', TORCHVISION)], default=MMACTION
)

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
