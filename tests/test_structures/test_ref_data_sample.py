"""A sample goes with its batch, and its references stay."""

import numpy as np
import pytest
import torch

from refvos.structures import (
    RefDataSample,
    Reference,
    ReferencePrediction,
    ReferenceTokens,
    padding_mask_of,
)
from tests.builders import make_sample


@pytest.fixture
def sample():
    masks = np.zeros((3, 8, 10), bool)
    masks[:2, 2:5, 3:7] = True
    sample = make_sample(masks, references=[Reference('7', 'a cat')])
    sample.gt_tubes = {'1': [None, None, None]}
    sample.predictions = [ReferencePrediction(sample.references[0], [], 0.5)]
    return sample


def assert_same_beside_frames(copy, sample):
    assert type(copy) is RefDataSample
    assert copy is not sample
    assert copy.metainfo == sample.metainfo
    assert copy.references == sample.references
    assert copy.gt_tubes == sample.gt_tubes
    assert copy.predictions == sample.predictions
    assert len(copy) == len(sample) == 3


def boxes(sample):
    return [frame.gt_instances.bboxes.tolist() for frame in sample]


def test_moving_moves_the_frames(sample):
    moved = sample.to('meta')
    assert_same_beside_frames(moved, sample)
    for frame, original in zip(moved, sample, strict=True):
        assert frame.gt_instances.bboxes.device.type == 'meta'
        assert frame.gt_instances.labels.device.type == 'meta'
        assert original.gt_instances.bboxes.device.type == 'cpu'
        assert frame.img_shape == (8, 10)


@pytest.mark.parametrize('method', ['cpu', 'clone', 'detach', 'new'])
def test_copies_hold_the_same(sample, method):
    copy = getattr(sample, method)()
    assert_same_beside_frames(copy, sample)
    assert boxes(copy) == [[[3, 2, 7, 5]], [[3, 2, 7, 5]], []]
    copy.predictions = []
    copy.set_metainfo({'video_id': 'other'})
    assert len(sample.predictions) == 1
    assert sample.video_id == 'video'


def test_arrays_and_tensors_turn_into_each_other(sample):
    arrays = sample.numpy()
    assert_same_beside_frames(arrays, sample)
    assert isinstance(arrays[0].gt_instances.bboxes, np.ndarray)
    tensors = arrays.to_tensor()
    assert isinstance(tensors[0].gt_instances.bboxes, torch.Tensor)
    assert boxes(tensors) == boxes(sample)


def test_a_sample_without_truth_moves(sample):
    plain = RefDataSample(metainfo={'video_id': 'v'})
    plain.references = sample.references
    moved = plain.to('meta')
    assert moved.references == sample.references
    assert 'video_data_samples' not in moved


def test_padding_mask():
    mask = padding_mask_of([(2, 3), (4, 5)], (4, 5))
    assert mask.shape == (2, 4, 5)
    assert (~mask).sum((1, 2)).tolist() == [6, 20]
    assert mask[0].int().tolist() == [
        [0, 0, 0, 1, 1],
        [0, 0, 0, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
    ]


def test_slices_of_tokens():
    tokens = ReferenceTokens(*(torch.arange(3) + 10 * i for i in range(4)))
    assert len(tokens) == 3
    part = tokens[1:2]
    assert part.present is None
    del part.present
    assert [int(x) for x in vars(part).values()] == [1, 11, 21, 31]
