"""Time a model on a video: seconds and peak memory of each half.

    python tools/analysis_tools/benchmark.py CONFIG --frames 5 --size 360 640

The weights are random: timings do not depend on them. Prints one JSON line.
Compare numbers of one run only; machines and their load differ.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Dict, Optional

import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from refvos.engine.cli import load_config, run_tool
from refvos.structures import ReferenceTokens


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config')
    parser.add_argument('--frames', type=int, default=5)
    parser.add_argument(
        '--size', type=int, nargs=2, default=(360, 640), metavar=('H', 'W')
    )
    parser.add_argument('--words', type=int, default=10)
    parser.add_argument('--repeats', type=int, default=3)
    return parser.parse_args(argv)


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """Median time of a few calls, after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2]


def measure_matmul() -> float:
    """FLOP/s of a large float32 matrix product on this machine."""
    side = 2048
    x = torch.randn(side, side)
    return 2 * side**3 / median_seconds(lambda: x @ x, 5)


@torch.no_grad()
def main(argv: Optional[Sequence[str]] = None) -> Dict[str, object]:
    args = parse_args(argv)
    config = load_config(args.config)
    init_default_scope('mmdet')
    model = MODELS.build(config.model).eval()
    frames = torch.randn(1, args.frames, 3, *args.size)
    channels = model.embed_dims
    tokens = ReferenceTokens(
        tokens=torch.randn(1, args.words, channels),
        padding_mask=torch.zeros(1, args.words, dtype=torch.bool),
        positions=torch.randn(1, args.words, channels),
        sentence=torch.randn(1, channels),
    )
    shapes = [tuple(args.size)]
    video = model.encode_video(frames, shapes)
    encode = median_seconds(
        lambda: model.encode_video(frames, shapes), args.repeats
    )
    answer = median_seconds(lambda: model.answer(video, tokens), args.repeats)
    result = {
        'config': args.config,
        'frames': args.frames,
        'size': list(args.size),
        'threads': torch.get_num_threads(),
        'encode_video_s': round(encode, 3),
        'answer_s': round(answer, 3),
        'answer_share': round(answer / (encode + answer), 3),
        'peak_gib': round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2
        ),
        'matmul_gflops': round(measure_matmul() / 1e9),
    }
    print(json.dumps(result))
    return result


if __name__ == '__main__':
    sys.exit(run_tool(main))
