"""Keys of published ReferFormer checkpoints, with any of their backbones."""

from collections.abc import Callable, Mapping
from re import Match
from typing import Any, List, Optional, Tuple

from .key_mapping import KeyMapping, MappingChoice, Rule
from .swin_keys import SWIN_DROPPED, SWIN_VALUES, swin_rules
from .video_swin_keys import video_swin_rules


def minus_one(template: str) -> Callable[[Match], str]:
    """Name a module by its number less one: published ones start at 1.

    Args:
        template: The new name; ``{}`` are the key's groups, the number
            first.
    """
    return lambda match: template.format(
        int(match[1]) - 1, *match.groups()[1:]
    )


LAYER = r'transformer\.(encoder|decoder)\.layers\.(\d+)\.'
BLOCK = r'pixel_decoder\.cross_attn_(\d)\.'

TRANSFORMER: List[Rule] = [
    (r'transformer\.level_embed', 'level_embedding'),
    (r'transformer\.reference_points\.(.+)', r'reference_points.\1'),
    (
        r'transformer\.decoder\.layers\.(\d+)\.self_attn\.(.+)',
        r'decoder.layers.\1.self_attn.attn.\2',
    ),
    (LAYER + r'((?:self|cross)_attn\..+)', r'\1.layers.\2.\3'),
    (LAYER + r'linear1\.(.+)', r'\1.layers.\2.ffn.layers.0.0.\3'),
    (LAYER + r'linear2\.(.+)', r'\1.layers.\2.ffn.layers.1.\3'),
    # The published decoder layer runs self-attention first, but numbers its
    # norms as if cross-attention came first.
    (
        r'transformer\.encoder\.layers\.(\d+)\.norm1\.(.+)',
        r'encoder.layers.\1.norms.0.\2',
    ),
    (
        r'transformer\.encoder\.layers\.(\d+)\.norm2\.(.+)',
        r'encoder.layers.\1.norms.1.\2',
    ),
    (
        r'transformer\.decoder\.layers\.(\d+)\.norm2\.(.+)',
        r'decoder.layers.\1.norms.0.\2',
    ),
    (
        r'transformer\.decoder\.layers\.(\d+)\.norm1\.(.+)',
        r'decoder.layers.\1.norms.1.\2',
    ),
    (
        r'transformer\.decoder\.layers\.(\d+)\.norm3\.(.+)',
        r'decoder.layers.\1.norms.2.\2',
    ),
    (r'query_embed\.weight', 'query_embedding.weight'),
    (r'class_embed\.(.+)', r'class_branches.\1'),
    (r'bbox_embed\.(.+)', r'box_branches.\1'),
]

PIXELS: List[Rule] = [
    (r'input_proj\.(\d+)\.0\.(.+)', r'input_projections.\1.conv.\2'),
    (r'input_proj\.(\d+)\.1\.(.+)', r'input_projections.\1.gn.\2'),
    (r'fusion_module\.multihead_attn\.(.+)', r'fusion.attention.\1'),
    (r'controller\.(.+)', r'mask_head.controller.\1'),
    (r'pixel_decoder\.mask_features\.(.+)', r'fpn.mask_features.\1'),
    (
        r'pixel_decoder\.adapter_(\d)\.weight',
        minus_one('fpn.laterals.{}.conv.weight'),
    ),
    (
        r'pixel_decoder\.adapter_(\d)\.norm\.(.+)',
        minus_one('fpn.laterals.{}.gn.{}'),
    ),
    (
        r'pixel_decoder\.layer_(\d)\.weight',
        minus_one('fpn.outputs.{}.conv.weight'),
    ),
    (
        r'pixel_decoder\.layer_(\d)\.norm\.(.+)',
        minus_one('fpn.outputs.{}.gn.{}'),
    ),
    (BLOCK + r'self_attn\.(.+)', minus_one('fpn.blocks.{}.self_attention.{}')),
    (
        BLOCK + r'multihead_attn\.(.+)',
        minus_one('fpn.blocks.{}.cross_attention.{}'),
    ),
    (BLOCK + r'linear1\.(.+)', minus_one('fpn.blocks.{}.feedforward.0.{}')),
    (BLOCK + r'linear2\.(.+)', minus_one('fpn.blocks.{}.feedforward.3.{}')),
    (BLOCK + r'norm1\.(.+)', minus_one('fpn.blocks.{}.norms.0.{}')),
    (BLOCK + r'norm2\.(.+)', minus_one('fpn.blocks.{}.norms.1.{}')),
    (BLOCK + r'norm3\.(.+)', minus_one('fpn.blocks.{}.norms.2.{}')),
]

TEXT: List[Rule] = [
    (r'text_encoder\.(.+)', r'text_encoder.model.\1'),
    (r'resizer\.fc\.(.+)', r'text_encoder.resizer.0.\1'),
    (r'resizer\.layer_norm\.(.+)', r'text_encoder.resizer.1.\1'),
]

BODY = r'backbone\.0\.body\.'
RESNET: List[Rule] = [(BODY + r'(.+)', r'backbone.\1')]

DROPPED: List[Tuple[str, str]] = [
    (
        r'transformer\.decoder\.bbox_embed\..+',
        'second names of the tensors in bbox_embed',
    ),
    (
        r'transformer\.decoder\.class_embed\..+',
        'second names of the tensors in class_embed',
    ),
    (
        r'text_encoder\.embeddings\.position_ids',
        'a constant that transformers makes itself',
    ),
]

HEAD = TRANSFORMER + PIXELS + TEXT


def choice_of(
    head: List[Rule], model_options: Optional[Mapping[str, Any]] = None
) -> MappingChoice:
    """Make the mapping of each backbone from the rules of the other parts.

    Blocks of Swin and of Video-Swin have the same keys; those of the patch
    merging differ.

    Args:
        head: Rules of all parts but the backbone.
        model_options: See :class:`KeyMapping`.
    """
    options = dict(model_options or {})
    return MappingChoice(
        [
            (
                BODY + r'downsamples\..+',
                KeyMapping(
                    head + video_swin_rules(BODY),
                    DROPPED + SWIN_DROPPED,
                    model_options=options,
                ),
            ),
            (
                BODY + r'layers\.\d\.downsample\..+',
                KeyMapping(
                    head + swin_rules(BODY),
                    DROPPED + SWIN_DROPPED,
                    SWIN_VALUES,
                    model_options=options,
                ),
            ),
        ],
        default=KeyMapping(head + RESNET, DROPPED, model_options=options),
    )


MAPPING = choice_of(HEAD)
