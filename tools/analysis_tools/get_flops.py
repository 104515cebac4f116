"""Count a model's parameters and floating-point operations, part by part.

    python tools/analysis_tools/get_flops.py CONFIG --frames 5 --size 360 640

Weights are random and none are downloaded: the encoders have the config's
size. The video is encoded once, each reference is encoded and answered. It is
a text, or a sound where the model has no encoder of texts.

A multiply-add counts as two operations. Counted are convolutions, matrix
products (all linear layers and the attention made of them), fused attention,
and the sampling of deformable attention:

    attention    2 * B * H * Lq * Lk * (Dk + Dv)    Q.K and the sum of V
    sampling     2 * (4 + 1) * B * Lq * C * levels * points
                 4 multiply-adds interpolate a value, 1 weighs it

Not counted: element-wise operations, norms, soft-max, resizing. A module that
another one runs (in ReferFormer the decoder runs the box branches) counts in
both, so that the shares can add up to a little more than 100 %.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, Dict, List, Optional, Tuple

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from refvos.apis.inferencer import choose_device
from refvos.engine import check_config
from refvos.engine.cli import load_config, merge_options, run_tool
from refvos.errors import InputError
from refvos.io.log_mel import BANDS, FRAMES
from refvos.structures import EncodedReferences, Reference, ReferenceTokens

Counts = Dict[str, int]
PHASES = ('encode_video', 'encode_reference', 'answer')
# Modalities that there are made-up references of.
MADE_UP = ('text', 'sound')


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config')
    add('--frames', type=int, default=5, help='frames of the video')
    add(
        '--size',
        type=int,
        nargs=2,
        default=(360, 640),
        metavar=('H', 'W'),
        help='of a frame as the model sees it',
    )
    add('--references', type=int, default=1, help='how many are asked')
    add('--words', type=int, default=10, help='tokens of an expression')
    add('--seconds', type=int, default=5, help='of a sound')
    add('--depth', type=int, default=1, help='levels of modules to list')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='change entries of the config, e.g. model.num_queries=1',
    )
    add('--device', default='cpu', help='such as cuda:0 (default: cpu)')
    add('--json', action='store_true', help='print one JSON object instead')
    args = parser.parse_args(argv)
    for name in ('frames', 'references', 'words', 'seconds', 'depth'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1')
    if min(args.size) < 32:
        parser.error('--size must be at least 32 by 32')
    return args


class Phase(nn.Module):
    """Calls a function; the model below it then has a name for the counter.

    torch names modules from the first one entered, and ``encode_video`` is
    no module.

    Args:
        model: Whose parts the function runs.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[[], Any]) -> Any:
        return function()


def attention_on_cpu(query: Any, key: Any, value: Any, *_: Any, **__: Any):
    """torch counts its fused attention on GPUs only."""
    return sdpa_flop_count(query, key, value)


def deformable_sampling(
    module: MultiScaleDeformableAttention, query: Tensor
) -> int:
    """Operations of sampling; the linear layers around it not counted.

    mmcv samples by ``grid_sample`` on CPUs and by an operation of its own on
    GPUs; a formula sees both.

    Args:
        module: Its levels and points.
        query: (B, Lq, C), or (Lq, B, C).
    """
    return 10 * query.numel() * module.num_levels * module.num_points


def count(
    model: nn.Module, function: Callable[[], Any], grad: bool = False
) -> Tuple[Counts, Any]:
    """Count a function's operations by the model's modules.

    Args:
        model: Whose modules the function runs.
        function: Run once.
        grad: Whether it wants gradients.

    Returns:
        Operations by the module's name, ``''`` for all; and what the
        function returned.
    """
    aten = torch.ops.aten
    formula = {
        aten._scaled_dot_product_flash_attention_for_cpu: attention_on_cpu
    }
    counter = FlopCounterMode(display=False, custom_mapping=formula)

    def add_sampling(module: Any, args: tuple, kwargs: dict) -> None:
        query = args[0] if args else kwargs['query']
        amount = deformable_sampling(module, query)
        # Runs after the counter's own hook, which enters the module's name.
        for name in counter.mod_tracker.parents:
            counter.flop_counts[name]['deformable_sampling'] += amount

    hooks = [
        module.register_forward_pre_hook(add_sampling, with_kwargs=True)
        for module in model.modules()
        if isinstance(module, MultiScaleDeformableAttention)
    ]
    # One operation with the whole of an attention in it can't be counted.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    # The counter stumbles over a view of a weight (such as MTI's queries)
    # that wants a gradient while there are none.
    trained = [p for p in model.parameters() if p.requires_grad and not grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        with counter, torch.set_grad_enabled(grad):
            result = Phase(model)(function)
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        torch.backends.mha.set_fastpath_enabled(fast)
        for hook in hooks:
            hook.remove()
    prefix = f'{Phase.__name__}.model.'
    counts = {'': sum(counter.flop_counts['Global'].values())}
    for name, operations in counter.flop_counts.items():
        if name.startswith(prefix):
            counts[name[len(prefix) :]] = sum(operations.values())
    return counts, result


class MadeUpReferences:
    """References of any content, as tokens; for :meth:`encode_references`.

    Of texts there are token ids, since published tokenizers would be
    downloaded; of sounds noise. A model that takes one modality at a time
    gets the first of its own, others get all.

    Args:
        model: A segmentor.
        words: Tokens of a text.
        seconds: Of a sound.
    """

    def __init__(self, model: Any, words: int, seconds: int) -> None:
        encoders = {
            name: encoder
            for name, encoder in model.reference_encoders.items()
            if name in MADE_UP
        }
        if not model.combines_modalities:
            encoders = dict(list(encoders.items())[:1])
        self.encoders: Dict[str, Any] = encoders
        self.words = words
        self.seconds = seconds

    def __call__(self, references: Sequence[Any]) -> EncodedReferences:
        count = len(references)
        return EncodedReferences(
            {
                name: self.encode_text(encoder, count)
                if name == 'text'
                else self.encode_sound(encoder, count)
                for name, encoder in self.encoders.items()
            }
        )

    def encode_text(self, encoder: Any, count: int) -> ReferenceTokens:
        device = next(encoder.parameters()).device
        # Any token but the padding's.
        ids = torch.full((count, self.words), 5, device=device)
        return encoder.encode_tokens(ids, ids == -1)

    def encode_sound(self, encoder: Any, count: int) -> ReferenceTokens:
        device = next(encoder.parameters()).device
        shape = (count * self.seconds, 1, FRAMES, BANDS)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return encoder.encode_examples(
            noise.to(device), [self.seconds] * count
        )

    @property
    def what(self) -> str:
        """A reference in words."""
        sizes = {
            'text': f'{self.words} tokens',
            'sound': f'{self.seconds} s of sound',
        }
        return ' and '.join(sizes[name] for name in self.encoders)


def count_phases(
    model: Any, frames: Tensor, encode: MadeUpReferences, references: int
) -> Dict[str, Counts]:
    """Count what a video and its references take.

    Args:
        model: A segmentor, in evaluation mode.
        frames: (1, T, 3, H, W).
        encode: Gives a reference's tokens.
        references: How many are asked; each takes the same.
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
    return {name: factor * value for name, value in counts.items()}


def count_parameters(module: nn.Module) -> Dict[str, int]:
    """Numbers in the weights, and those of them that are trained."""
    parameters = list(module.parameters())
    return {
        'parameters': sum(p.numel() for p in parameters),
        'trained': sum(p.numel() for p in parameters if p.requires_grad),
    }


def flops_of(module: nn.Module, name: str, counts: Counts) -> int:
    """Operations of a module, or of its parts where they run without it.

    Lists have no forward, and that of a reference's encoder isn't called.
    """
    parts = sum(
        flops_of(part, f'{name}.{key}'.lstrip('.'), counts)
        for key, part in module.named_children()
    )
    return max(counts.get(name, 0), parts)


def summarize(
    model: nn.Module, phases: Dict[str, Counts], depth: int
) -> List[Dict[str, Any]]:
    """One row a module down to ``depth``; the first is the whole model.

    A module that another one runs (the decoder the box branches) counts in
    both.
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


def build_model(
    config: str, options: Dict[str, Any], device: str
) -> nn.Module:
    """Build the config's model; weights are random."""
    cfg: Config = load_config(config)
    check_config(cfg, config)
    merge_options(cfg, options, '--cfg-options')
    check_config(cfg, '--cfg-options')
    if 'model' not in cfg:
        raise InputError.of(config, 'model', 'missing', 'a model')
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model)
    if not set(getattr(model, 'modalities', ())) & set(MADE_UP):
        raise InputError.of(
            config,
            'model.text_encoder',
            cfg.model.get('text_encoder'),
            'an encoder of text references, or a sound_encoder',
        )
    return model.eval().to(choose_device(device))


def as_text(result: Dict[str, Any]) -> str:
    """The result as a table for people."""
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
