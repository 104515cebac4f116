"""Convert ImageNet weights of Swin Transformer to refvos.

SRC is a checkpoint as Microsoft publishes it (`layers.0.blocks.0...`), or one
of mmpretrain or mmdet (`backbone.stages.0.blocks.0...`; of a detector only
the backbone is taken). DST holds the weights as `backbone....`; start from it
with `load_from`, or with
    model.backbone.init_cfg = dict(type='Pretrained', checkpoint=DST)

The norms of the backbone's outputs start anew, as in the published code: a
classifier's only norm stands behind its last stage and is not one of them.
"""

import sys

from refvos.converters.convert import run_converter
from refvos.converters.key_mapping import KeyMapping, MappingChoice
from refvos.converters.swin_keys import SWIN_DROPPED, SWIN_VALUES, swin_rules

FRESH = [(r'backbone\.norm\d\..+', "norms of the backbone's outputs")]
CLASSIFIER = 'the classifier and the norm before it'

# Microsoft's names; mmdet's and mmpretrain's are ours.
OFFICIAL = KeyMapping(
    swin_rules(),
    [*SWIN_DROPPED, (r'(norm|head)\..+', CLASSIFIER)],
    SWIN_VALUES,
    part='backbone.',
    fresh=FRESH,
)
SAME = [(r'backbone\..+', r'\g<0>')]
MMPRETRAIN = KeyMapping(
    SAME,
    [*SWIN_DROPPED, (r'(backbone\.norm3|head)\..+', CLASSIFIER)],
    part='backbone.',
    fresh=FRESH,
)
MMDET = KeyMapping(
    SAME,
    [
        *SWIN_DROPPED,
        (r'(?!backbone\.).+', 'parts of the detector other than its backbone'),
    ],
    part='backbone.',
    fresh=FRESH,
)
MAPPING = MappingChoice(
    [
        (r'layers\.0\.blocks\.0\..+', OFFICIAL),
        (r'head\.fc\..+', MMPRETRAIN),
        (r'backbone\.stages\.0\.blocks\.0\..+', MMDET),
    ],
    default=OFFICIAL,
)

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
