"""How published Swin weights are named, for the converters.

Microsoft's names of Swin and Video-Swin are also those of the published
ReferFormer and MUTR, after a prefix of their own.
"""

from collections.abc import Callable
from re import Match
from typing import List, Tuple, Union

from torch import Tensor

Rule = Tuple[str, Union[str, Callable[[Match], str]]]

SWIN_DROPPED = [
    (
        r'.*\.relative_position_index',
        'positions in a window, which the backbone counts itself',
    ),
    (
        r'.*\.attn_mask',
        'masks of shifted windows at one image size, made anew for each',
    ),
]


def swin_rules(prefix: str = '') -> List[Rule]:
    """Names of mmdet's Swin for Microsoft's.

    Args:
        prefix: Pattern of what stands before ``patch_embed`` and so on.
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

    Microsoft's code puts one cell's channels after another's, the cells in
    the order top left, bottom left, top right, bottom right; mmdet unfolds
    the map: channel after channel, and of each the cells row by row.

    Args:
        value: (..., 4 C), a norm's weight or bias or the reduction.
    """
    cells = value.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :]
    return cells.transpose(-1, -2).flatten(-2)


SWIN_VALUES = [(r'backbone\.stages\.\d\.downsample\..+', unfolded_order)]


def video_swin_rules(prefix: str = '') -> List[Rule]:
    """Names of torchvision's Video-Swin for Microsoft's and mmaction's.

    Patch merging takes the cells in the same order in all of them.

    Args:
        prefix: Pattern of what stands before ``patch_embed`` and so on.
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
    """Name a part of ``features``: stage i stands at 2 i, merging after it.

    Args:
        place: 0 for the stage, 1 for the merging after it.
        template: The rest of the name; ``{i}`` is the key's i-th group,
            counted from 0 (the stage).
    """
    return lambda match: (
        f'backbone.features.{2 * int(match[1]) + place}.'
        + template.format(*match.groups())
    )
