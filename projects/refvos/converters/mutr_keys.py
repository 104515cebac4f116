"""Keys of published MUTR checkpoints: ReferFormer's, and MTA's and MTI's."""

from typing import List

from .key_mapping import Rule
from .referformer_keys import HEAD, choice_of


def attention_rules(theirs: str, inner: str, ours: str) -> List[Rule]:
    """Rules of a list of MTI's attention layers, each with its norm.

    Args:
        theirs: Published name of the list.
        inner: Published name of the attention in a layer.
        ours: Name of the list in :class:`TemporalInteraction`.
    """
    return [
        (
            rf'mti\.{theirs}\.(\d+)\.{inner}\.(.+)',
            rf'mti.{ours}.\1.attention.\2',
        ),
        (rf'mti\.{theirs}\.(\d+)\.norm\.(.+)', rf'mti.{ours}.\1.norm.\2'),
    ]


def feedforward_rules(theirs: str, ours: str) -> List[Rule]:
    """Rules of a list of MTI's feed-forward layers, each with its norm.

    Args:
        theirs: Published name of the list.
        ours: Name of the list in :class:`TemporalInteraction`.
    """
    return [
        (
            rf'mti\.{theirs}\.(\d+)\.linear1\.(.+)',
            rf'mti.{ours}.\1.layers.0.\2',
        ),
        (
            rf'mti\.{theirs}\.(\d+)\.linear2\.(.+)',
            rf'mti.{ours}.\1.layers.3.\2',
        ),
        (rf'mti\.{theirs}\.(\d+)\.norm\.(.+)', rf'mti.{ours}.\1.norm.\2'),
    ]


MTA: List[Rule] = [
    (
        r'MTA\.layers\.(\d+)\.multihead_attn\.(.+)',
        r'mta.attentions.\1.attention.\2',
    ),
    (r'MTA\.layers\.(\d+)\.norm1\.(.+)', r'mta.attentions.\1.norm.\2'),
    (
        r'MTA\.layers\.(\d+)\.linear1\.(.+)',
        r'mta.feedforwards.\1.layers.0.\2',
    ),
    (
        r'MTA\.layers\.(\d+)\.linear2\.(.+)',
        r'mta.feedforwards.\1.layers.3.\2',
    ),
    (r'MTA\.layers\.(\d+)\.norm2\.(.+)', r'mta.feedforwards.\1.norm.\2'),
]

MTI: List[Rule] = [
    (r'mti\.fq_pos\.(.+)', r'mti.slot_positions.\1'),
    (r'mti\.query_embed\.(.+)', r'mti.query_positions.\1'),
    (r'mti\.query_feat\.(.+)', r'mti.query_content.\1'),
    (r'mti\.decoder_norm\.(.+)', r'mti.norm.\1'),
    *attention_rules('enc_self_attn', 'self_attn', 'encoder_attentions'),
    *attention_rules(
        'transformer_self_attention_layers', 'self_attn', 'self_attentions'
    ),
    *attention_rules(
        'transformer_cross_attention_layers',
        'multihead_attn',
        'cross_attentions',
    ),
    *feedforward_rules('enc_ffn', 'encoder_feedforwards'),
    *feedforward_rules('transformer_ffn_layers', 'feedforwards'),
]

# The published code does not test as it trains; the weights give its numbers
# only where that is imitated.
MAPPING = choice_of(HEAD + MTA + MTI, {'model.published_habits': True})
