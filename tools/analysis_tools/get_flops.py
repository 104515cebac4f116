"""Count a model's parameters and floating-point operations, part by part.

    python tools/analysis_tools/get_flops.py CONFIG --frames 5 --size 360 640

Weights are random and none are downloaded: the encoders have the size that the
config says. The video is encoded once, each reference is encoded and answered.
A reference is a text, or a sound if the model has no text encoder.

A multiply-add counts as two operations. Counted are convolutions, matrix
products (all linear layers, and attention that is made of them), fused
attention, and the sampling of deformable attention:

    attention    2 * B * H * Lq * Lk * (Dk + Dv)    Q.K and the sum of V
    sampling     2 * (4 + 1) * B * Lq * C * levels * points
                 4 multiply-adds interpolate a value, 1 weights it

Not counted: element-wise operations, norms, soft-max, resizing. A module that
is called by another one (in ReferFormer the decoder calls the box branches)
counts in both, so that the shares can add up to a little more than 100 %.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Dict, List, Optional

from refvos.commands.operations import Counts, count
from refvos.commands.random_model import MadeUpReferences, build_model
from refvos.engine.cli import (
    add_config_arguments,
    add_size_arguments,
    run_tool,
)
from refvos.structures import Reference

# isort: split
import torch
from torch import Tensor, nn

PHASES = ('encode_video', 'encode_reference', 'answer')


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_size_arguments(parser)
    add_config_arguments(parser)
    add(
        '--depth',
        type=int,
        default=1,
        help='how many levels of modules to list (default: 1)',
    )
    add(
        '--json',
        action='store_true',
        help='print one JSON object instead of a table',
    )
    args = parser.parse_args(argv)
    for name in ('frames', 'references', 'words', 'seconds', 'depth'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1')
    if min(args.size) < 32:
        parser.error('--size must be at least 32 by 32')
    return args


def count_phases(
    model: Any, frames: Tensor, encode: MadeUpReferences, references: int
) -> Dict[str, Counts]:
    """Count the operations of each phase, for a video and its references.

    Args:
        model: A segmentor, in evaluation mode.
        frames: (1, T, 3, H, W).
        encode: Encodes a reference.
        references: Number of references; all take the same operations.
    """
    shapes = [tuple(frames.shape[-2:])]
    encoded, video = count(model, lambda: model.encode_video(frames, shapes))
    one = [Reference('0')]
    made, tokens = count(model, lambda: encode(one))
    answers, _ = count(model, lambda: model.answer(video, tokens))
    return {
        'encode_video': encoded,
        'encode_reference': times(made, references),
        'answer': times(answers, references),
    }


def times(counts: Counts, factor: int) -> Counts:
    """Multiply all counts."""
    return {name: factor * value for name, value in counts.items()}


def count_parameters(module: nn.Module) -> Dict[str, int]:
    """Count all parameters, and those that are trained."""
    parameters = list(module.parameters())
    return {
        'parameters': sum(p.numel() for p in parameters),
        'trained': sum(p.numel() for p in parameters if p.requires_grad),
    }


def flops_of(module: nn.Module, name: str, counts: Counts) -> int:
    """Return the operations of a module, or of its parts called without it.

    Lists have no ``forward``, and that of a reference encoder is not called.
    """
    parts = sum(
        flops_of(part, f'{name}.{key}'.lstrip('.'), counts)
        for key, part in module.named_children()
    )
    return max(counts.get(name, 0), parts)


def summarize(
    model: nn.Module, phases: Dict[str, Counts], depth: int
) -> List[Dict[str, Any]]:
    """Return one row per module down to ``depth``; the first is the model.

    A module that another one calls (the decoder calls the box branches)
    counts in both.
    """
    rows = []
    for name, module in model.named_modules():
        if name and name.count('.') >= depth:
            continue
        flops = sum(flops_of(module, name, c) for c in phases.values())
        numbers = count_parameters(module)
        if flops or numbers['parameters']:
            rows.append({'module': name, 'flops': flops, **numbers})
    direct = [p for _, p in model.named_parameters(recurse=False)]
    if direct:
        size = sum(p.numel() for p in direct)
        trained = sum(p.numel() for p in direct if p.requires_grad)
        rows.append(
            {
                'module': '(its own)',
                'flops': 0,
                'parameters': size,
                'trained': trained,
            }
        )
    return rows


def as_text(result: Dict[str, Any]) -> str:
    """Format the result as a table."""
    total = result['flops']
    lines = [
        f'{result["config"]}: {result["frames"]} frames of '
        f'{result["size"][0]}x{result["size"][1]}, '
        f'{result["references"]} reference(s) of {result["reference"]}',
        f'{"module":40}{"params (M)":>12}{"trained (M)":>13}'
        f'{"GFLOPs":>12}{"%":>7}',
    ]
    for row in result['modules']:
        share = 100 * row['flops'] / total
        lines.append(
            f'{row["module"] or "(all)":40}{row["parameters"] / 1e6:12.3f}'
            f'{row["trained"] / 1e6:13.3f}{row["flops"] / 1e9:12.3f}'
            f'{share:7.1f}'
        )
    lines.append('of which, in GFLOPs:')
    for phase, value in result['phases'].items():
        lines.append(f'  {phase:18}{value / 1e9:12.3f}')
    return '\n'.join(lines)


def main(argv: Optional[Sequence[str]] = None) -> Dict[str, Any]:
    args = parse_args(argv)
    model = build_model(args.config, args.cfg_options, args.device)
    frames = torch.randn(
        1, args.frames, 3, *args.size, device=next(model.parameters()).device
    )
    encode = MadeUpReferences(model, args.words, args.seconds)
    phases = count_phases(model, frames, encode, args.references)
    result = {
        'config': args.config,
        'frames': args.frames,
        'size': list(args.size),
        'references': args.references,
        'reference': encode.what,
        **count_parameters(model),
        'flops': sum(counts[''] for counts in phases.values()),
        'phases': {name: phases[name][''] for name in PHASES},
    }
    rows = summarize(model, phases, args.depth)
    # The whole model does more than the sum of its modules.
    rows[0]['flops'] = result['flops']
    result['modules'] = rows
    print(json.dumps(result) if args.json else as_text(result))
    return result


if __name__ == '__main__':
    sys.exit(run_tool(main))
