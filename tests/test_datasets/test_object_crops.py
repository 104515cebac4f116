"""Windows around single objects."""

import json

import numpy as np
import pytest
from PIL import Image

from refvos.datasets import ObjectCropsDataset
from refvos.errors import InputError

CLASSES = ('cat', 'dog')


@pytest.fixture
def folder(tmp_path):
    """A frame of 40 x 60; object 2, a dog, fills rows 4-9, columns 50-57."""
    root = tmp_path / 'train'
    for kind in ('JPEGImages', 'Annotations'):
        (root / kind / 'v').mkdir(parents=True)
    ids = np.zeros((40, 60), np.uint8)
    ids[4:10, 50:58] = 2
    frame = np.full((40, 60, 3), 90, np.uint8)
    frame[ids == 2] = (200, 30, 30)
    Image.fromarray(frame).save(
        root / 'JPEGImages/v/00000.jpg', quality=100, subsampling=0
    )
    Image.fromarray(ids).save(root / 'Annotations/v/00000.png')
    objects = {
        '2': {'category': 'dog', 'frames': ['00000']},
        '1': {'category': 'cat', 'frames': []},
    }
    (root / 'meta.json').write_text(
        json.dumps({'videos': {'v': {'objects': objects}}})
    )
    return tmp_path


def test_window_lies_around_the_object(folder):
    data = ObjectCropsDataset(str(folder), CLASSES, size=16, jitter=0)
    assert len(data) == 1
    window = data[0]['inputs'].numpy()
    assert window.shape == (3, 16, 16)
    assert data[0]['labels'] == 1
    red = window[0] > 150
    # Its middle, row 6 and column 53, is the window's: row 8, column 8,
    # unless the window is flipped.
    assert red.sum() == 6 * 8
    assert red[6:12, 5:13].all() or red[6:12, 3:11].all()
    # Rows above the frame are black: it begins 2 rows below the window.
    assert (window[:, :2] == 0).all() and window[:, 3, 1:15].min() > 20


def test_jitter_moves_the_window(folder):
    np.random.seed(0)
    data = ObjectCropsDataset(str(folder), CLASSES, size=24, jitter=3)
    tops = {
        int(np.nonzero((data[0]['inputs'].numpy()[0] > 150).any(1))[0][0])
        for _ in range(60)
    }
    assert len(tops) == 7 and max(tops) - min(tops) == 6


def test_unknown_category_is_named(folder):
    with pytest.raises(InputError) as error:
        ObjectCropsDataset(str(folder), ('cat',))
    assert 'videos.v.objects.2.category' in str(error.value)
    assert "'dog'" in str(error.value)


def test_missing_list_is_named(tmp_path):
    with pytest.raises(InputError, match=r'meta\.json: file is .missing'):
        ObjectCropsDataset(str(tmp_path), CLASSES)
