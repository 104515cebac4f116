"""MeViS: layout, unions of objects, encoded masks and bad input."""

import json
import re

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from refvos.datasets import MeViSDataset
from refvos.datasets.mevis import check_layout
from refvos.errors import InputError
from refvos.io.mask_store import MaskStore
from refvos.mini.writers.files import write_jpeg

from .folders import paint, square

SIZE = (16, 24)
LOAD = [{'type': 'LoadFrames'}, {'type': 'LoadTubes', 'as_rle': True}]
PACK = [{'type': 'PackRefInputs'}]
FIRST, SECOND = square(SIZE, 0, 0, 4), square(SIZE, 8, 8, 6)


def encode(mask):
    rle = rle_codec.encode(np.asfortranarray(mask, np.uint8))
    return {**rle, 'counts': rle['counts'].decode()}


# Two parrots, the second one from the second of three frames on; a fish in
# another video; an object that is never visible.
MASKS = {
    '0': [encode(FIRST)] * 3,
    '1': [None, encode(SECOND), encode(SECOND)],
    '2': [encode(SECOND)],
    '3': [None] * 3,
}
EXPRESSIONS = {
    '0': {'exp': 'The parrots', 'obj_id': [0, 1], 'anno_id': [0, 1]},
    '1': {'exp': 'parrot flying  in', 'obj_id': [1], 'anno_id': [1]},
    '2': {'exp': 'nothing of that kind', 'obj_id': [], 'anno_id': []},
    '3': {'exp': 'the ghost', 'obj_id': [2], 'anno_id': [3]},
}


def write_split(root, split, public=True):
    frames = {'birds': 3, 'fish': 1}
    expressions = {
        'birds': EXPRESSIONS,
        'fish': {'0': {'exp': 'the fish', 'obj_id': [0], 'anno_id': [2]}},
    }
    videos = {}
    for number, (name, count) in enumerate(frames.items()):
        folder = root / split / 'JPEGImages' / name
        folder.mkdir(parents=True)
        for index in range(count):
            write_jpeg(folder / f'{index:05d}.jpg', paint(FIRST + SECOND))
        videos[name] = {
            'vid_id': number,
            'frames': [f'{index:05d}' for index in range(count)],
            'expressions': {
                id: e if public else {'exp': e['exp']}
                for id, e in expressions[name].items()
            },
        }
    file = root / split / 'meta_expressions.json'
    file.write_text(json.dumps({'videos': videos}))
    if public:
        masks = root / split / 'mask_dict.json'
        masks.write_text(json.dumps(MASKS))


@pytest.fixture
def root(tmp_path):
    for split in ('train', 'valid_u', 'valid'):
        write_split(tmp_path, split, public=split != 'valid')
    return tmp_path


def dataset(root, split='train', pipeline=(), **kwargs):
    return MeViSDataset(str(root), split, pipeline=list(pipeline), **kwargs)


def test_test_items_are_videos_with_the_tubes_of_all_objects(root):
    data = dataset(root, 'valid_u', [*LOAD, *PACK], test_mode=True)
    assert len(data) == 2
    sample = data[0]['data_samples']
    assert [(r.id, r.text, r.object_ids) for r in sample.references] == [
        ('0', 'the parrots', ('0', '1')),
        ('1', 'parrot flying in', ('1',)),
        ('2', 'nothing of that kind', ()),
        ('3', 'the ghost', ('3',)),
    ]
    tubes = {
        id: [None if rle is None else rle_codec.decode(rle) for rle in tube]
        for id, tube in sample.gt_tubes.items()
    }
    assert list(tubes) == ['0', '1', '3']
    assert tubes['1'][0] is None and tubes['3'] == [None] * 3
    assert all(np.array_equal(mask, FIRST) for mask in tubes['0'])
    assert np.array_equal(tubes['1'][2], SECOND)


def test_training_masks_are_the_union(root, logged):
    steps = [{'type': 'LoadFrames'}, {'type': 'LoadTubes'}, *PACK]
    data = dataset(root, pipeline=steps)
    # Without the two expressions whose objects are never drawn.
    assert len(data) == 3
    sample = data[0]['data_samples']
    masks = [f.gt_instances.masks.masks for f in sample.video_data_samples]
    assert np.array_equal(masks[0][0], FIRST)
    assert np.array_equal(masks[1][0], FIRST + SECOND)
    boxes = [f.gt_instances.bboxes.tolist() for f in sample]
    assert boxes[1:] == [[[0, 0, 14, 14]]] * 2
    (message,) = logged
    assert 'left out 2 of' in message
    assert 'videos.birds.expressions.3.anno_id is [3]; expected an' in message


def test_anchors_and_clips(root):
    data = dataset(root, pipeline=[], anchor_stride=2)
    items = [data.get_data_info(index) for index in range(len(data))]
    assert [(i['video_id'], i['anchor']) for i in items] == [
        *(('birds', 0), ('birds', 2), ('birds', 0), ('birds', 2)),
        ('fish', 0),
    ]
    steps = [{'type': 'SampleClip', 'num_frames': 1}, *LOAD[:1]]
    (frame,) = dataset(root, pipeline=steps, anchor_stride=2)[3]['frames']
    assert frame['frame_id'] == '00002'
    assert list(frame['segmentations']) == ['1']


def test_stored_items_have_no_frames_and_masks(root):
    """BaseDataset keeps items without frames."""
    data = dataset(root, serialize_data=False)
    for index, item in enumerate(data.data_list):
        assert 'frames' not in item
        frames = data.get_data_info(index)['frames']
        assert [f['frame_id'] for f in frames] == item['frame_ids']


def test_wrong_references(root):
    """Words of a reference without a common object."""
    data = dataset(root, 'valid_u', test_mode=True, wrong_references=True)
    references = data.get_data_info(0)['references']
    assert [(r.id, r.text, r.object_ids) for r in references] == [
        ('0', 'nothing of that kind', ('0', '1')),
        ('1', 'nothing of that kind', ('1',)),
        ('2', 'the ghost', ()),
        ('3', 'the parrots', ('3',)),
    ]


def test_the_hidden_split_has_no_masks(root):
    data = dataset(root, 'valid', test_mode=True, with_masks=False)
    item = data.get_data_info(0)
    assert [r.object_ids for r in item['references']] == [()] * 4
    assert list(item['frames'][0]) == ['img_path', 'frame_id']
    with pytest.raises(InputError) as error:
        dataset(root, 'valid', test_mode=True)
    assert str(error.value) == (
        f"{root}/valid/mask_dict.json: file is 'missing'; expected masks by "
        'annotation id'
    )


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'0': [None]}, '0: number of masks is 1; expected 3, the frames of'),
        ({'0': {'a': 1}}, "0 is {'a': 1}; expected a list over frames"),
        ({'0': [None, 3, None]}, '0[1] is 3; expected size and counts'),
        ({'0': [None, {'size': [1, 2]}, None]}, "0[1] is {'size': [1, 2]}; "),
    ],
)
def test_broken_masks_are_named(root, change, words):
    file = root / 'train/mask_dict.json'
    file.write_text(json.dumps({**MASKS, **change}))
    with pytest.raises(InputError, match=re.escape(f'{file}: {words}')):
        dataset(root)


def test_masks_of_another_size_are_named(root):
    file = root / 'train/mask_dict.json'
    small = [encode(FIRST[:8])] * 3
    file.write_text(json.dumps({**MASKS, '0': small}))
    with pytest.raises(InputError, match=r'is \(8, 24\); expected \(16, 24\)'):
        dataset(root, pipeline=[*LOAD, *PACK])[0]


def test_expressions_without_ids(root, logged):
    file = root / 'train/meta_expressions.json'
    content = json.loads(file.read_text())
    expressions = content['videos']['birds']['expressions']
    expressions['1']['anno_id'] = [1, 77]
    file.write_text(json.dumps(content))
    assert len(dataset(root)) == 2
    assert (
        "expressions.1.anno_id is '77'; expected an id of mask_dict"
        in (logged[0])
    )
    del expressions['0']['anno_id']
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r'0\.anno_id is None; expected a li'):
        dataset(root)


def test_the_store_returns_the_masks_of_the_file(root):
    """All masks, also those with uncompressed counts."""
    plain = {'size': [2, 3], 'counts': [1, 2, 3]}
    file = root / 'masks.json'
    file.write_text(json.dumps({**MASKS, 'plain': [plain, None]}))
    store = MaskStore(file)
    for name, tube in MASKS.items():
        assert store.num_frames(name) == len(tube)
        for frame, rle in enumerate(tube):
            found = store.get(name, frame)
            if found is not None:
                found = {**found, 'counts': found['counts'].decode()}
            assert found == rle
    # Column by column: one 0, two 1, three 0.
    mask = rle_codec.decode(store.get('plain', 0))
    assert mask.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert store.get('plain', 1) is None
    assert [name for name in (*MASKS, 'plain') if store.is_drawn(name)] == [
        *('0', '1', '2', 'plain')
    ]
    assert 'nobody' not in store


def test_unknown_split(root):
    with pytest.raises(InputError, match=r"'test'; expected one of \('train'"):
        dataset(root, 'test')


def test_check_layout(root):
    assert check_layout(root) == []
    (root / 'valid_u/mask_dict.json').unlink()
    (root / 'valid/JPEGImages/birds/00001.jpg').unlink()
    (root / 'train/meta_expressions.json').write_text('{')
    first, *others = check_layout(root)
    assert first.startswith(f'{root}/train/meta_expressions.json: file is ')
    assert others == [
        f'{root}/valid_u/mask_dict.json: masks of the split by anno_id',
        f'{root}/valid/JPEGImages/birds/00001.jpg: one of 1 missing of 3 '
        'frames of the video',
    ]
