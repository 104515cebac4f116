"""Soft masks that a segmentor keeps."""

import numpy as np
import pytest
import torch
from pycocotools import mask as rle_codec

from refvos.errors import InputError
from refvos.structures import Reference
from refvos.structures.soft_masks import quantize
from tests.builders import build_model, make_sample

CONFIG = 'configs/_base_/models/referformer_mini.py'
# Level 30 ends at a probability of 0.486, level 31 at 0.504.
HALF = int(quantize(torch.tensor(0.0)))


def predict(**test_cfg):
    torch.manual_seed(0)
    options = {f'model.test_cfg.{k}': v for k, v in test_cfg.items()}
    model = build_model(CONFIG, options)
    model.init_weights()
    frames = torch.randint(0, 256, (3, 3, 40, 72)).to(torch.uint8)
    sample = make_sample(
        np.zeros((3, 40, 72), bool),
        references=[Reference('0', text='the red circle')],
    )
    sample.set_metainfo({'ori_shape': (60, 108)})
    data = model.data_preprocessor(
        {'inputs': [frames], 'data_samples': [sample]}
    )
    (sample,) = model(data['inputs'], data['data_samples'], mode='predict')
    return sample.predictions[0]


def test_they_agree_with_the_masks():
    """Three frames in chunks of two, at the frames' own size."""
    prediction = predict(soft_masks=True, frame_chunk=2)
    soft = prediction.soft_masks
    assert (len(soft), soft.size) == (3, (60, 108))
    for frame, rle in enumerate(prediction.masks):
        levels, mask = soft.levels(frame), rle_codec.decode(rle) > 0
        assert (levels[mask] >= HALF).all()
        assert (levels[~mask] <= HALF).all()
        # More than two levels: not the masks over again.
        assert len(np.unique(levels)) > 5


def test_linear_ones_agree_with_the_masks():
    prediction = predict(soft_masks='linear')
    soft = prediction.soft_masks
    assert soft.linear
    for frame, rle in enumerate(prediction.masks):
        levels, mask = soft.levels(frame), rle_codec.decode(rle) > 0
        # 127 of 254 is a half.
        assert (levels[mask] >= 127).all() and (levels[~mask] <= 127).all()


@pytest.mark.parametrize('soft', [True, 'linear'])
def test_where_nothing_is_referred_all_is_background(soft):
    given = predict(soft_masks=soft)
    below = predict(soft_masks=soft, null_threshold=given.score / 2)
    assert not below.is_null and below.masks == given.masks
    nothing = predict(soft_masks=soft, null_threshold=1)
    assert nothing.is_null and nothing.score == given.score
    for frame, rle in enumerate(nothing.masks):
        assert not rle_codec.decode(rle).any()
        assert not nothing.soft_masks.levels(frame).any()
    with pytest.raises(InputError, match='null_threshold is 2; expected'):
        predict(null_threshold=2)


def test_other_soft_masks_are_refused():
    with pytest.raises(InputError, match="soft_masks is 'log'"):
        predict(soft_masks='log')


def test_they_are_kept_only_where_asked_for():
    assert predict().soft_masks is None
