"""Convert a published MUTR checkpoint to refvos.

Any of its backbones: ResNet, Swin and Video-Swin are told apart by the keys.
Test it with model.published_habits=True, which its config for published
weights sets.
"""

import importlib.util
import sys
from pathlib import Path

from refvos.converters.convert import run_converter

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location(
    'referformer_converter', HERE / 'referformer.py'
)
assert spec is not None and spec.loader is not None
referformer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(referformer)

TEMPORAL = [
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
    (r'mti\.fq_pos\.(.+)', r'mti.slot_positions.\1'),
    (r'mti\.query_embed\.(.+)', r'mti.query_positions.\1'),
    (r'mti\.query_feat\.(.+)', r'mti.query_content.\1'),
    (r'mti\.decoder_norm\.(.+)', r'mti.norm.\1'),
]
for theirs, inner, ours in (
    ('enc_self_attn', 'self_attn', 'encoder_attentions'),
    ('transformer_self_attention_layers', 'self_attn', 'self_attentions'),
    (
        'transformer_cross_attention_layers',
        'multihead_attn',
        'cross_attentions',
    ),
):
    TEMPORAL += [
        (
            rf'mti\.{theirs}\.(\d+)\.{inner}\.(.+)',
            rf'mti.{ours}.\1.attention.\2',
        ),
        (rf'mti\.{theirs}\.(\d+)\.norm\.(.+)', rf'mti.{ours}.\1.norm.\2'),
    ]
for theirs, ours in (
    ('enc_ffn', 'encoder_feedforwards'),
    ('transformer_ffn_layers', 'feedforwards'),
):
    TEMPORAL += [
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

MAPPING = referformer.choice_of(referformer.HEAD + TEMPORAL)

if __name__ == '__main__':
    sys.exit(run_converter(__doc__, MAPPING))
