"""Videos with predictions and truth for the tests of the evaluation."""

from typing import List, Optional

import numpy as np
from pycocotools import mask as mask_utils

from refvos.structures import RefDataSample, Reference, ReferencePrediction

SIZE = (20, 30)


def rle(mask: np.ndarray) -> dict:
    return mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))


def square(top: int, left: int, side: int = 6) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def make_sample(
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
    truth = {'1': [rle(mask) for mask in tube()]}
    return make_sample(predictions, truth, f'video{index}', num_frames=3)
