"""Time a model on a video: seconds, peak memory, share of the machine's speed.

    python tools/analysis_tools/benchmark.py CONFIG --frames 5 20 80
    python tools/analysis_tools/benchmark.py CONFIG --against --amp bf16
    python tools/analysis_tools/benchmark.py CONFIG --train --frames 5
    python tools/analysis_tools/benchmark.py CONFIG \\
        --against --cfg-options model.test_cfg.frame_chunk=20

Every measurement runs in a process of its own, so that its peak memory can be
read; several measurements alternate. The first run of a process counts the
operations and is not timed. Weights are random: timings do not depend on
them. The arguments after --against describe a further measurement: another
config, or other options; all other arguments stay as before. Prints one JSON
line per measurement, then a table whose last columns are ratios to its first
row.

Compare only numbers of the same call: machines and their load differ.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional

from refvos.commands.operations import count
from refvos.commands.random_model import MadeUpReferences, build_model
from refvos.engine.cli import (
    add_config_arguments,
    add_precision_argument,
    add_size_arguments,
    load_config,
    run_tool,
)
from refvos.errors import InputError
from refvos.structures import RefDataSample, Reference

# isort: split
import numpy as np
import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData

AGAINST = '--against'
PLAIN_MALLOC = '--plain-malloc'
COLUMNS = (
    'label',
    'frames',
    'total_s',
    's_a_frame',
    'encode_s',
    'answer_s',
    'peak_gib',
    'tflop',
    'of_matmul',
    'time_ratio',
    'memory_ratio',
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_size_arguments(parser, several=True)
    add_config_arguments(parser)
    add_precision_argument(parser)
    add(
        '--repeats',
        type=int,
        default=1,
        help='timed runs per process (default: 1)',
    )
    add(
        '--rounds',
        type=int,
        default=1,
        help='processes per measurement (default: 1)',
    )
    add(
        '--threads',
        type=int,
        help='number of threads of torch (default: one per core)',
    )
    add(
        '--train',
        action='store_true',
        help='time a training step instead of a test',
    )
    add(
        '--compile',
        action='store_true',
        help='compile the backbone with torch.compile',
    )
    add(
        PLAIN_MALLOC,
        action='store_true',
        help="keep the C library's default, which returns large buffers to "
        'the system as soon as they are freed',
    )
    add('--child', action='store_true', help=argparse.SUPPRESS)
    return parser


# --------------------------------------------------------------- a measurement


def seconds(function: Callable[[], Any], device: torch.device) -> float:
    """Time a call, in seconds."""
    wait(device)
    started = time.perf_counter()
    function()
    wait(device)
    return time.perf_counter() - started


def wait(device: torch.device) -> None:
    """Wait until the device has finished what was started."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def measure_matmul(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the FLOP/s of a large matrix product on this machine."""
    side = 2048 if device.type == 'cpu' else 8192
    x = torch.randn(side, side, device=device, dtype=dtype)
    times = [seconds(lambda: x @ x, device) for _ in range(6)]
    return 2 * side**3 / sorted(times[1:])[2]


def peak_gib(device: torch.device) -> float:
    """Return the peak memory of the process, or on the GPU, so far."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Timer:
    """Sum up the time that calls of a method of the model take."""

    def __init__(self, model: Any, name: str, device: torch.device) -> None:
        self.total = 0.0
        method = getattr(model, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            result = []
            self.total += seconds(
                lambda: result.append(method(*args, **kwargs)), device
            )
            return result[0]

        setattr(model, name, timed)


def draw_sample(args: argparse.Namespace, frames: int) -> Dict[str, Any]:
    """Draw a video of noise with references, as a data set would load it."""
    size = tuple(args.size)
    generator = torch.Generator().manual_seed(0)
    video = torch.randint(
        0, 256, (frames, 3, *size), generator=generator, dtype=torch.uint8
    )
    sample = RefDataSample(
        metainfo={
            'video_id': 'noise',
            'frame_ids': [f'{index:05d}' for index in range(frames)],
            'ori_shape': size,
            'img_shape': size,
            'num_frames': frames,
        }
    )
    count = 1 if args.train else args.references
    sample.references = [Reference(str(i)) for i in range(count)]
    sample.video_data_samples = [draw_gt(size) for _ in range(frames)]
    return {'inputs': [video], 'data_samples': [sample]}


def draw_gt(size: tuple) -> DetDataSample:
    """Draw the ground truth of a frame: a square in the middle."""
    height, width = size
    mask = np.zeros((1, height, width), np.uint8)
    mask[:, height // 4 : height // 2, width // 4 : width // 2] = 1
    frame = DetDataSample(metainfo={'img_shape': size})
    frame.gt_instances = InstanceData(
        masks=BitmapMasks(mask, height, width),
        bboxes=torch.tensor(
            [[width // 4, height // 4, width // 2, height // 2]]
        ).float(),
        labels=torch.zeros(1, dtype=torch.long),
    )
    return frame


def build(args: argparse.Namespace) -> Any:
    """Build the model of the config, on the device, for this measurement."""
    options = dict(args.cfg_options)
    if args.amp is not None and not args.train:
        options['model.test_cfg.precision'] = args.amp
    model: Any = build_model(args.config, options, args.device)
    model.encode_references = MadeUpReferences(model, args.words, args.seconds)
    if not args.train:
        model.prepare_for_test()
    if args.compile:
        model.backbone = torch.compile(model.backbone)
    return model


def measure(args: argparse.Namespace) -> Dict[str, Any]:
    """Run one measurement in this process."""
    if args.threads:
        torch.set_num_threads(args.threads)
    frames = args.frames[0]
    model = build(args)
    device = next(model.parameters()).device
    data = draw_sample(args, frames)
    dtype = {'bf16': torch.bfloat16, 'fp16': torch.float16, None: torch.float}
    phases: Dict[str, float] = {}
    if args.train:
        step = training_step(model, args)
        function = partial(step, data)
    else:
        function = partial(model.test_step, data)
    counts, _ = count(model, function, grad=args.train)
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
    timers = {}
    if not args.train:
        for name in ('encode_video', 'answer'):
            timers[name] = Timer(model, name, device)
    times = [seconds(function, device) for _ in range(args.repeats)]
    for name, timer in timers.items():
        phases[f'{name.split("_")[0]}_s'] = timer.total / args.repeats
    total = sorted(times)[len(times) // 2]
    speed = measure_matmul(device, dtype[args.amp])
    flops = counts['']
    return {
        'total_s': total,
        's_a_frame': total / frames,
        **phases,
        'peak_gib': peak_gib(device),
        'tflop': flops / 1e12,
        'matmul_gflops': speed / 1e9,
        'of_matmul': flops / total / speed,
    }


def training_step(model: Any, args: argparse.Namespace) -> Callable:
    """Return a function that does a training step as the runner does."""
    config: Config = load_config(args.config)
    settings = dict(config.optim_wrapper)
    if args.amp == 'bf16':
        settings['type'] = 'BF16OptimWrapper'
    if args.amp == 'fp16':
        settings['type'] = 'AmpOptimWrapper'
    assert OPTIM_WRAPPERS.get(settings['type']) is not None
    wrapper = build_optim_wrapper(model, settings)
    model.train()
    return lambda data: model.train_step(data, wrapper)


# ------------------------------------------------------------ all measurements


def variants(argv: Sequence[str]) -> List[List[str]]:
    """Split the arguments at ``--against``: one list per measurement."""
    parts: List[List[str]] = [[]]
    for argument in argv:
        if argument == AGAINST:
            parts.append([])
        else:
            parts[-1].append(argument)
    first, *others = parts
    asked = [first]
    for other in others:
        config = first[:1]
        if other and not other[0].startswith('-'):
            config, other = other[:1], other[1:]
        # If an option is given twice, argparse takes the last value.
        asked.append([*config, *first[1:], *other])
    return asked


def label(argv: Sequence[str]) -> str:
    """Name a measurement by its arguments."""
    return ' '.join([Path(argv[0]).stem, *argv[1:]])


def run_child(argv: List[str], frames: int) -> Dict[str, Any]:
    """Run a measurement in a process of its own."""
    command = [sys.executable, '-W', 'ignore', __file__, *argv]
    command += ['--frames', str(frames), '--child']
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = [x for x in done.stderr.splitlines() if x.strip()][-1:]
        raise InputError(
            f'{label(argv)}: the measurement ended with status '
            f'{done.returncode}: {"".join(last).removeprefix("error: ")}'
        )
    return json.loads(done.stdout.splitlines()[-1])


def median(results: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Return the medians over several processes."""
    return {
        key: round(float(np.median([each[key] for each in results])), 4)
        for key in results[0]
    }


def as_table(rows: List[Dict[str, Any]]) -> str:
    """Format the measurements as a table."""
    cells = [list(COLUMNS)]
    for row in rows:
        shown = {
            **row,
            'time_ratio': round(row['total_s'] / rows[0]['total_s'], 3),
            'memory_ratio': round(row['peak_gib'] / rows[0]['peak_gib'], 3),
        }
        cells.append([str(shown.get(column, '')) for column in COLUMNS])
    widths = [max(map(len, column)) for column in zip(*cells)]
    return '\n'.join(
        '  '.join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        )
        for line in cells
    )


def main(argv: Optional[Sequence[str]] = None) -> List[Dict[str, Any]]:
    given = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    if '--child' in given:
        result = measure(parser.parse_args(given))
        print(json.dumps(result))
        return [result]
    if '-h' in given or '--help' in given:
        parser.parse_args(given)
    asked = variants(given)
    parsed = [parser.parse_args(each) for each in asked]
    for args in parsed:
        for name, value in (
            ('--frames', min(args.frames)),
            ('--references', args.references),
            ('--words', args.words),
            ('--seconds', args.seconds),
            ('--repeats', args.repeats),
            ('--rounds', args.rounds),
        ):
            if value < 1:
                raise InputError.of(name, 'number', value, 'at least 1')
        if not os.path.isfile(args.config):
            raise InputError.of(args.config, 'config', 'missing', 'a config')
    jobs = [
        (each, frames)
        for each, args in zip(asked, parsed)
        for frames in args.frames
    ]
    found: List[List[Dict[str, Any]]] = [[] for _ in jobs]
    for _ in range(parsed[0].rounds):
        for (each, frames), results in zip(jobs, found):
            results.append(run_child(each, frames))
    rows = []
    for (each, frames), results in zip(jobs, found):
        rows.append({'label': label(each), 'frames': frames})
        rows[-1].update(median(results))
        print(json.dumps(rows[-1]), flush=True)
    print(as_table(rows))
    return rows


if __name__ == '__main__':
    sys.exit(run_tool(main, keep_buffers=PLAIN_MALLOC not in sys.argv))
