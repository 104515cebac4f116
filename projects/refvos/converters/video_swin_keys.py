"""Keys of published Video-Swin weights: Microsoft's and torchvision's.

mmaction and the published ReferFormer and MUTR use Microsoft's names after a
prefix.
"""

from collections.abc import Callable
from re import Match
from typing import List

from ..models.backbones import sum_patch_over_time
from .key_mapping import KeyMapping, MappingChoice, Rule
from .swin_keys import CLASSIFIER, SWIN_DROPPED


def video_swin_rules(prefix: str = '') -> List[Rule]:
    """Rename Microsoft's and mmaction's keys of Video-Swin to torchvision's.

    Patch merging takes the cells in the same order in all of them.

    Args:
        prefix: Pattern of what precedes ``patch_embed``, ``layers``, ...
    """
    block = prefix + r'layers\.(\d)\.blocks\.(\d+)\.'
    return [
        (prefix + r'(patch_embed\..+)', r'backbone.\1'),
        (block + r'mlp\.fc1\.(.+)', in_features(0, r'{1}.mlp.0.{2}')),
        (block + r'mlp\.fc2\.(.+)', in_features(0, r'{1}.mlp.3.{2}')),
        (block + r'((?:attn|norm[12])\..+)', in_features(0, '{1}.{2}')),
        # Inside a stage (Microsoft, mmaction) or beside it (ReferFormer).
        (
            prefix + r'layers\.(\d)\.downsample\.(.+)',
            in_features(1, '{1}'),
        ),
        (prefix + r'downsamples\.(\d)\.(.+)', in_features(1, '{1}')),
    ]


def in_features(place: int, template: str) -> Callable[[Match], str]:
    """Name a part of ``features``: stage i is 2 i, its merging 2 i + 1.

    Args:
        place: 0 for the stage, 1 for the merging after it.
        template: The rest of the name; ``{i}`` is the key's group i, from 0
            (the number of the stage).
    """
    return lambda match: (
        f'backbone.features.{2 * int(match[1]) + place}.'
        + template.format(*match.groups())
    )


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
