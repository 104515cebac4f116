"""Time the J&F metric against a plain implementation, frame by frame.

    python tools/analysis_tools/benchmark_jf.py
    python tools/analysis_tools/benchmark_jf.py --size 480 854 --workers 0 4

The videos show random blobs, with several expressions per object and
predictions close to the ground truth. The plain implementation decodes both
masks of a frame, draws their boundaries and dilates them with a disk, once
per expression. All run on the same videos, one after the other, and must give
the same numbers within 1e-9. Prints frames per second (one frame of one
expression) and the ratio to the plain implementation.

With workers, a first pass is not timed: starting them takes some seconds, once
per test.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Callable, Dict, List, Optional

import cv2
import numpy as np
from pycocotools import mask as rle_codec

from refvos.engine.cli import run_tool
from refvos.errors import InputError
from refvos.evaluation import JFMetric
from refvos.evaluation.region_boundary import tolerance_radius
from refvos.structures import RefDataSample, Reference, ReferencePrediction

TOLERANCE = 1e-9
NUM_BLOBS = 6


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    for name, default, what in (
        ('videos', 16, 'videos'),
        ('frames', 20, 'frames per video'),
        ('objects', 2, 'objects per video'),
        ('expressions', 2, 'expressions per object'),
    ):
        add(
            f'--{name}',
            type=int,
            default=default,
            help=f'number of {what} (default: {default})',
        )
    add(
        '--size',
        type=int,
        nargs=2,
        default=(720, 1280),
        metavar=('H', 'W'),
        help='height and width of the frames (default: 720 1280)',
    )
    add(
        '--workers',
        type=int,
        nargs='+',
        default=[0, 1, 2],
        help='values of num_workers of JFMetric to time (default: 0 1 2)',
    )
    args = parser.parse_args(argv)
    for name in ('videos', 'frames', 'objects', 'expressions'):
        if getattr(args, name) < 1:
            raise InputError.of(
                f'--{name}', 'number', getattr(args, name), 'at least 1'
            )
    return args


# ------------------------------------------------------------------ the videos


def draw_tube(rng: np.random.Generator, args: argparse.Namespace) -> List:
    """Draw drifting blobs: one mask (H, W), uint8, per frame."""
    height, width = args.size
    centres = rng.uniform(0.3, 0.7, (NUM_BLOBS, 2)) * (width, height)
    axes = rng.uniform(0.03, 0.15, (NUM_BLOBS, 2)) * height
    angles = rng.uniform(0, 180, NUM_BLOBS)
    drift = rng.normal(0, 0.01 * width, 2)
    tube = []
    for frame in range(args.frames):
        mask = np.zeros((height, width), np.uint8)
        for centre, axis, angle in zip(centres, axes, angles):
            x, y = (centre + frame * drift).astype(int)
            size = tuple(int(v) for v in axis)
            cv2.ellipse(
                mask, (int(x), int(y)), size, angle + frame, 0, 360, 1, -1
            )
        tube.append(mask)
    return tube


def disturb(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make a prediction: the mask, shifted, with a hole and a speck."""
    height, width = mask.shape
    moved = np.roll(mask, rng.integers(-8, 9, 2), (0, 1))
    for value in (0, 1):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(moved, (x, y), height // 30, value, -1)
    return moved


def encode(mask: np.ndarray) -> dict:
    """Encode a mask as COCO's run lengths."""
    return rle_codec.encode(np.asfortranarray(mask))


def draw_video(index: int, args: argparse.Namespace) -> dict:
    """Make the sample of a video, as the metric gets it in a test."""
    rng = np.random.default_rng(index)
    tubes = {str(i): draw_tube(rng, args) for i in range(args.objects)}
    sample = RefDataSample(
        metainfo={
            'video_id': str(index),
            'frame_ids': [f'{frame:05d}' for frame in range(args.frames)],
            'ori_shape': tuple(args.size),
        }
    )
    sample.gt_tubes = {
        name: [encode(mask) for mask in tube] for name, tube in tubes.items()
    }
    sample.predictions = [
        ReferencePrediction(
            Reference(f'{name}-{i}', text='a blob', object_ids=(name,)),
            [encode(disturb(mask, rng)) for mask in tube],
            0.5,
        )
        for name, tube in tubes.items()
        for i in range(args.expressions)
    ]
    sample.references = [each.reference for each in sample.predictions]
    return sample.to_dict()


# -------------------------------------------------- the plain implementation


def boundary(mask: np.ndarray) -> np.ndarray:
    """Mark pixels unlike their right, lower or lower right neighbour."""
    edge = np.pad(mask, ((0, 1), (0, 1)), mode='edge')
    differs = mask != edge[:-1, 1:]
    differs |= mask != edge[1:, :-1]
    differs |= mask != edge[1:, 1:]
    # In the last row and column only the neighbour along it counts.
    differs[-1] = mask[-1] != edge[-2, 1:]
    differs[:, -1] = mask[:, -1] != edge[1:, -2]
    differs[-1, -1] = False
    return differs


def plain_scores(pred: np.ndarray, gt: np.ndarray) -> List[float]:
    """Compute J and F of a frame by their definitions."""
    union = np.count_nonzero(pred | gt)
    overlap = np.count_nonzero(pred & gt) / union if union else 1.0
    radius = tolerance_radius(pred.shape)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.uint8)
    edges = [boundary(mask) for mask in (pred, gt)]
    wide = [cv2.dilate(edge.astype(np.uint8), disk) > 0 for edge in edges]
    counts = [np.count_nonzero(edge) for edge in edges]
    if not all(counts):
        return [overlap, float(counts[0] == counts[1])]
    precision = np.count_nonzero(edges[0] & wide[1]) / counts[0]
    recall = np.count_nonzero(edges[1] & wide[0]) / counts[1]
    if precision + recall == 0:
        return [overlap, 0.0]
    return [overlap, 2 * precision * recall / (precision + recall)]


def run_plain(videos: List[dict]) -> Dict[str, float]:
    """Compute J and F of all videos, in percent."""
    scores = [
        np.mean(
            [
                plain_scores(
                    rle_codec.decode(pred).astype(bool),
                    rle_codec.decode(gt).astype(bool),
                )
                for pred, gt in zip(
                    asked.masks,
                    video['gt_tubes'][asked.reference.object_ids[0]],
                )
            ],
            axis=0,
        )
        for video in videos
        for asked in video['predictions']
    ]
    j, f = 100 * np.mean(scores, axis=0)
    return {'J': float(j), 'F': float(f)}


# ------------------------------------------------------------ the measurements


def run_metric(videos: List[dict], workers: int) -> Dict[str, float]:
    """Compute the same with :class:`JFMetric`, after a first pass."""
    metric = JFMetric(num_workers=workers)
    # Starts all workers; one video per worker is not enough.
    metric.process(None, videos)
    while metric._pending:
        metric.take_oldest()
    metric.results.clear()
    started = time.perf_counter()
    metric.process(None, videos)
    scores = metric.evaluate(len(videos))
    return {**scores, 'seconds': time.perf_counter() - started}


def timed(function: Callable[[], Dict[str, float]]) -> Dict[str, float]:
    """Call a function; add its time in seconds to what it returns."""
    started = time.perf_counter()
    scores = function()
    return {'seconds': time.perf_counter() - started, **scores}


def main(argv: Optional[Sequence[str]] = None) -> List[Dict[str, Any]]:
    args = parse_args(argv)
    # One thread per process, as in the workers.
    cv2.setNumThreads(1)
    videos = [draw_video(index, args) for index in range(args.videos)]
    frames = args.frames * args.objects * args.expressions * args.videos
    plain = timed(lambda: run_plain(videos))
    rows: List[Dict[str, Any]] = [{'metric': 'plain', **plain}]
    for workers in args.workers:
        found = run_metric(videos, workers)
        for name in ('J', 'F'):
            if not abs(found[name] - plain[name]) < 100 * TOLERANCE:
                raise InputError.of(
                    'JFMetric', name, found[name], f'{plain[name]!r}, as plain'
                )
        rows.append({'metric': f'JFMetric, {workers} workers', **found})
    result = [
        {
            'metric': row['metric'],
            'frames_a_second': round(frames / row['seconds'], 1),
            'ratio': round(plain['seconds'] / row['seconds'], 2),
            'J': row['J'],
            'F': row['F'],
        }
        for row in rows
    ]
    for row in result:
        print(json.dumps(row), flush=True)
    return result


if __name__ == '__main__':
    sys.exit(run_tool(main))
