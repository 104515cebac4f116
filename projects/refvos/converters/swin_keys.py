"""Keys of published Swin weights: Microsoft's, mmpretrain's and mmdet's.

The published ReferFormer and MUTR use Microsoft's names after a prefix.
"""

from typing import List, Tuple

from torch import Tensor

from .key_mapping import KeyMapping, MappingChoice, Rule

CLASSIFIER = 'the classifier and the norm before it'

SWIN_DROPPED: List[Tuple[str, str]] = [
    (
        r'.*\.relative_position_index',
        'positions in a window, which the backbone computes',
    ),
    (
        r'.*\.attn_mask',
        'masks of shifted windows, computed for each image size',
    ),
]


def swin_rules(prefix: str = '') -> List[Rule]:
    """Rename Microsoft's keys of Swin to mmdet's.

    Args:
        prefix: Pattern of what precedes ``patch_embed``, ``layers``, ...
    """
    ours = r'backbone.stages.\1.'
    stage = prefix + r'layers\.(\d)\.'
    block = stage + r'blocks\.(\d+)\.'
    return [
        (
            prefix + r'patch_embed\.proj\.(.+)',
            r'backbone.patch_embed.projection.\1',
        ),
        (
            prefix + r'patch_embed\.norm\.(.+)',
            r'backbone.patch_embed.norm.\1',
        ),
        (block + r'attn\.(.+)', ours + r'blocks.\2.attn.w_msa.\3'),
        (block + r'mlp\.fc1\.(.+)', ours + r'blocks.\2.ffn.layers.0.0.\3'),
        (block + r'mlp\.fc2\.(.+)', ours + r'blocks.\2.ffn.layers.1.\3'),
        (block + r'(norm[12]\..+)', ours + r'blocks.\2.\3'),
        (stage + r'(downsample\..+)', ours + r'\2'),
        (prefix + r'(norm[0-3]\..+)', r'backbone.\1'),
    ]


def unfolded_order(value: Tensor) -> Tensor:
    """Order the inputs of a patch merging as ``torch.nn.Unfold`` does.

    Microsoft's code concatenates the cells (top left, bottom left, top right,
    bottom right) with all their channels; mmdet unfolds the map: for each
    channel its four cells, row by row.

    Args:
        value: (..., 4 C), weight or bias of the norm, or the reduction.
    """
    cells = value.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :]
    return cells.transpose(-1, -2).flatten(-2)


SWIN_VALUES = [(r'backbone\.stages\.\d\.downsample\..+', unfolded_order)]

# A classifier's only norm follows the last stage and is none of these.
FRESH = [(r'backbone\.norm\d\..+', "norms of the backbone's outputs")]

OFFICIAL = KeyMapping(
    swin_rules(),
    [*SWIN_DROPPED, (r'(norm|head)\..+', CLASSIFIER)],
    SWIN_VALUES,
    part='backbone.',
    fresh=FRESH,
)
# Our backbone is mmdet's: nothing to rename.
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
