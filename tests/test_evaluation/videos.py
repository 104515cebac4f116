"""Videos with predictions and ground truth for the tests of metrics."""

import json
import multiprocessing
from pathlib import Path
from typing import Any, Callable, List, Optional

import numpy as np
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.evaluator import BaseMetric, Evaluator
from pycocotools import mask as mask_utils

import refvos.evaluation  # noqa: F401  (for the preloaded process)
from refvos.structures import RefDataSample, Reference, ReferencePrediction

SIZE = (20, 30)


def rle(mask: np.ndarray) -> dict:
    return mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))


def square(top: int, left: int, side: int = 6) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def predicted_sample(
    predictions: List[ReferencePrediction],
    gt_tubes: Optional[dict],
    video_id: str = 'cat',
    num_frames: int = 2,
) -> RefDataSample:
    sample = RefDataSample(
        metainfo={
            'video_id': video_id,
            'frame_ids': [f'{5 * i:05d}' for i in range(num_frames)],
            'ori_shape': SIZE,
        }
    )
    sample.predictions = predictions
    sample.references = [p.reference for p in predictions]
    if gt_tubes is not None:
        sample.gt_tubes = gt_tubes
    return sample


def predict(
    masks: List[np.ndarray], reference_id: str = '0', **reference
) -> ReferencePrediction:
    reference = {'text': 'the cat', 'object_ids': ('1',), **reference}
    return ReferencePrediction(
        Reference(reference_id, **reference), [rle(m) for m in masks], 0.75
    )


def random_video(index: int) -> RefDataSample:
    """Video number ``index``, with 1 + index % 3 references."""
    rng = np.random.default_rng(index)

    def tube():
        return [square(*rng.integers(0, (12, 22))) for _ in range(3)]

    predictions = [
        predict(tube(), str(i), cue='place' if i else 'appearance')
        for i in range(1 + index % 3)
    ]
    gt = {'1': [rle(mask) for mask in tube()]}
    return predicted_sample(predictions, gt, f'video{index}', num_frames=3)


def evaluate_on_two_ranks(
    metric: Callable[..., BaseMetric],
    draw: Callable[[int], RefDataSample],
    count: int,
    folder: Path,
    **kwargs: Any,
) -> List[dict]:
    """Evaluate samples with two processes, as a distributed runner does.

    Args:
        metric: Class of the metric, built with ``kwargs`` and a
            ``collect_dir``.
        draw: Makes sample number i; a function of a module, so that other
            processes can import it.
        count: Number of samples, odd: the sampler gives the first one to the
            last process, too.
        folder: For the rendezvous and the collected results.

    Returns:
        The result of ``evaluate`` on each of the two ranks.
    """
    assert count % 2 == 1
    # Processes are forked from one that has imported everything, once.
    multiprocessing.set_forkserver_preload([__name__])
    mp.start_processes(
        _evaluate_rank,
        (metric, draw, count, folder, kwargs),
        nprocs=2,
        start_method='forkserver',
    )
    return [
        json.loads((folder / f'rank{rank}.json').read_text())
        for rank in range(2)
    ]


def _evaluate_rank(
    rank: int,
    metric: Callable[..., BaseMetric],
    draw: Callable[[int], RefDataSample],
    count: int,
    folder: Path,
    kwargs: dict,
) -> None:
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2
    )
    collect_dir = str(folder / 'collect')
    evaluator = Evaluator([metric(collect_dir=collect_dir, **kwargs)])
    for index in range(rank, count + 1, 2):
        evaluator.process([draw(index % count)])
    metrics = evaluator.evaluate(count)
    (folder / f'rank{rank}.json').write_text(json.dumps(metrics))
    dist.destroy_process_group()
