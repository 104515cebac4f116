"""Time a model on a video: seconds, peak memory, share of the machine's speed.

    python tools/analysis_tools/benchmark.py CONFIG --frames 5 20 80
    python tools/analysis_tools/benchmark.py CONFIG --against --amp bf16
    python tools/analysis_tools/benchmark.py CONFIG --train --frames 5
    python tools/analysis_tools/benchmark.py CONFIG \\
        --against --cfg-options model.test_cfg.frame_chunk=20

Every measurement runs in a process of its own, so that its peak memory is
its own; with several, they take turns. The first run of a process counts the
operations and is not timed. Weights are random: timings do not depend on
them. What comes after --against is measured as well: another config, or
other options; what it does not name stays as before. Prints a JSON line a
measurement, then a table whose last columns are ratios to its first row.

Compare numbers of one call only; machines and their load differ.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, DictAction
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData

from refvos.engine.cli import add_precision_argument, load_config, run_tool
from refvos.errors import InputError
from refvos.structures import RefDataSample, Reference

HERE = Path(__file__).parent
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
    add('config')
    add('--frames', type=int, nargs='+', default=[5], help='of the video')
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
    add(
        '--seconds',
        type=int,
        default=5,
        help='of a sound, asked where the model has no encoder of texts',
    )
    add('--repeats', type=int, default=1, help='timed runs a process')
    add('--rounds', type=int, default=1, help='processes a measurement')
    add('--threads', type=int, help="torch's (default: one a core)")
    add('--device', default='cpu', help='such as cuda:0 (default: cpu)')
    add('--train', action='store_true', help='time a training step instead')
    add('--compile', action='store_true', help='torch.compile the backbone')
    add(
        PLAIN_MALLOC,
        action='store_true',
        help='leave the C library as it is, which gives large buffers back',
    )
    add_precision_argument(parser)
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='change entries of the config',
    )
    add('--child', action='store_true', help=argparse.SUPPRESS)
    return parser


# --------------------------------------------------------------- a measurement


def load_script(name: str) -> ModuleType:
    """Import another script of this folder."""
    spec = importlib.util.spec_from_file_location(name, HERE / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seconds(function: Callable[[], Any], device: torch.device) -> float:
    """How long a call takes."""
    wait(device)
    started = time.perf_counter()
    function()
    wait(device)
    return time.perf_counter() - started


def wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def measure_matmul(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product on this machine."""
    side = 2048 if device.type == 'cpu' else 8192
    x = torch.randn(side, side, device=device, dtype=dtype)
    times = [seconds(lambda: x @ x, device) for _ in range(6)]
    return 2 * side**3 / sorted(times[1:])[2]


def peak_gib(device: torch.device) -> float:
    """Most memory of the process, or of the GPU, so far."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Timer:
    """Adds up the time that calls of a model's method take."""

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
    """A video of noise with its references, as the data set would give it."""
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
    sample.video_data_samples = [draw_truth(size) for _ in range(frames)]
    return {'inputs': [video], 'data_samples': [sample]}


def draw_truth(size: tuple) -> DetDataSample:
    """A frame's truth: a square in the middle."""
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
    """The config's model on the device, with its test precision."""
    options = dict(args.cfg_options)
    if args.amp is not None and not args.train:
        options['model.test_cfg.precision'] = args.amp
    tool = load_script('get_flops')
    model = tool.build_model(args.config, options, args.device)
    model.encode_references = tool.MadeUpReferences(
        model, args.words, args.seconds
    )
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
    counts, _ = load_script('get_flops').count(
        model, function, grad=args.train
    )
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
    """Forward, losses, backward and optimizer, as the runner does them."""
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
    """Arguments of each measurement: the first ones, and those against."""
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
        # Of two values of an option the last one counts.
        asked.append([*config, *first[1:], *other])
    return asked


def label(argv: Sequence[str]) -> str:
    return ' '.join([Path(argv[0]).stem, *argv[1:]])


def run_child(argv: List[str], frames: int) -> Dict[str, Any]:
    """Measure in a process of its own."""
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
    """Medians of several processes' numbers."""
    return {
        key: round(float(np.median([each[key] for each in results])), 4)
        for key in results[0]
    }


def as_table(rows: List[Dict[str, Any]]) -> str:
    """The measurements for people."""
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
