"""Frames with the category of each pixel."""

import json

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from refvos.datasets import CategoryMapsDataset
from refvos.errors import InputError

CLASSES = ('cat', 'dog')
PIPELINE = [
    dict(type='LoadCategoryMap'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackCategoryMap'),
]


@pytest.fixture(autouse=True)
def registries():
    init_default_scope('mmdet')


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


def test_pixels_have_their_objects_category(folder):
    np.random.seed(0)
    data = CategoryMapsDataset(str(folder), CLASSES, pipeline=PIPELINE)
    # No frame shows the cat.
    assert len(data) == 1
    flipped = set()
    for _ in range(20):
        item = data[0]
        frame, labels = item['inputs'].numpy(), item['labels'].numpy()
        assert frame.shape == (3, 40, 60) and labels.shape == (40, 60)
        assert set(np.unique(labels)) == {1, 2}
        rows, columns = np.nonzero(labels == 1)
        assert (rows.min(), rows.max()) == (4, 9)
        assert ((frame[0] > 150) == (labels == 1)).all()
        flipped.add(int(columns.min()))
    assert flipped == {50, 2}


def test_unknown_category_is_named(folder):
    with pytest.raises(InputError) as error:
        CategoryMapsDataset(str(folder), ('cat',))
    assert 'videos.v.objects.2.category' in str(error.value)
    assert "'dog'" in str(error.value)


def test_missing_list_is_named(tmp_path):
    with pytest.raises(InputError, match=r'meta\.json: file is .missing'):
        CategoryMapsDataset(str(tmp_path), CLASSES)


def test_items_hold_no_pixels(folder):
    """Data sets give paths and ids; transforms read the files."""
    item = CategoryMapsDataset(str(folder), CLASSES)[0]
    assert item['labels'] == {'2': 1} and item['num_classes'] == 2
    assert item['img_path'].endswith('train/JPEGImages/v/00000.jpg')
    assert not {'img', 'gt_seg_map'} & item.keys()


@pytest.mark.parametrize('value', [0, 255])
def test_masks_of_other_ids_are_named(folder, value):
    """An empty mask is background; 255 is no id of meta.json."""
    path = folder / 'train/Annotations/v/00000.png'
    ids = np.asarray(Image.open(path))
    Image.fromarray(np.where(ids, value, 0).astype(np.uint8)).save(path)
    data = CategoryMapsDataset(str(folder), CLASSES, pipeline=PIPELINE)
    if value == 0:
        assert (data[0]['labels'] == 2).all()
        return
    with pytest.raises(InputError) as error:
        data[0]
    assert str(error.value) == (f'{path}: object ids is [255]; expected 2')


def test_missing_frame_is_named(folder):
    (folder / 'train/JPEGImages/v/00000.jpg').unlink()
    data = CategoryMapsDataset(str(folder), CLASSES, pipeline=PIPELINE)
    with pytest.raises(InputError, match=r'00000\.jpg: file is .missing'):
        data[0]
