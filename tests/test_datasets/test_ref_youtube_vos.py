"""Ref-YouTube-VOS: layout, items, masks and bad input."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from PIL import Image
from pycocotools import mask as rle_codec
from torch.utils.data import DataLoader

from refvos.datasets import RefYouTubeVOSDataset
from refvos.datasets.transforms import loading
from refvos.engine.cli import one_line
from refvos.errors import InputError
from refvos.io import masks
from refvos.structures import clean_text
from tests.builders import load_config, message_of

from .folders import square, write_frames, write_lists

SIZE = (16, 24)
LOAD = [{'type': 'LoadFrames'}, {'type': 'LoadTubes'}]
PACK = [{'type': 'PackRefInputs'}]
CLIP = [{'type': 'SampleClip', 'num_frames': 1}]
TUBES = {'type': 'LoadTubes', 'as_rle': True}
CATEGORIES = {'1': 'ape', '2': 'zebra'}


def both_objects(num_frames):
    first, second = square(SIZE, 0, 0, 4, 1), square(SIZE, 8, 8, 6, 2)
    return [first + second] * num_frames


@pytest.fixture
def root(tmp_path):
    """One video of seven frames, two objects, three expressions."""
    names = write_frames(tmp_path, 'train', 'zoo', both_objects(7))
    expressions = {
        '0': ('The ape  on the LEFT', '1'),
        '1': ('a small ape', '1'),
        '2': ('a zebra', '2'),
    }
    videos = {'zoo': (names, expressions)}
    write_lists(tmp_path, 'train', videos, CATEGORIES)
    return tmp_path


def dataset(root, split='train', pipeline=(), **kwargs):
    return RefYouTubeVOSDataset(
        str(root), split, pipeline=list(pipeline), **kwargs
    )


def lists_of(root, split='train'):
    return root / 'meta_expressions' / split / 'meta_expressions.json'


def change(file, *path, value):
    """Change one entry of a JSON file."""
    content = json.loads(file.read_text())
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(content))


# ----------------------------------------------------------------------- items


def test_white_space_and_case_are_folded():
    assert clean_text(' A  Dog\n\tRuns ') == 'a dog runs'


def test_training_items(root):
    data = dataset(root)
    assert len(data) == 3
    item = data.get_data_info(0)
    (reference,) = item['references']
    assert reference.text == 'the ape on the left'
    assert (reference.id, reference.object_ids) == ('0', ('1',))
    assert item['anchor'] is None
    assert item['labels'] == {'1': 1, '2': 64}
    assert item['frame_ids'] == [f'{5 * i:05d}' for i in range(7)]
    frame = item['frames'][2]
    assert frame['img_path'] == f'{root}/train/JPEGImages/zoo/00010.jpg'
    assert frame['mask_path'] == f'{root}/train/Annotations/zoo/00010.png'


def test_an_item_for_every_anchor(root):
    data = dataset(root, anchor_stride=5)
    items = [data.get_data_info(i) for i in range(len(data))]
    assert [(i['references'][0].id, i['anchor']) for i in items] == [
        *(('0', 0), ('0', 5), ('1', 0), ('1', 5), ('2', 0), ('2', 5))
    ]
    assert len(dataset(root, anchor_stride=7)) == 3
    assert len(dataset(root, anchor_stride=1)) == 21


def test_test_items_are_videos_with_all_expressions(root):
    steps = [LOAD[0], {'type': 'LoadTubes', 'as_rle': True}, *PACK]
    data = dataset(root, test_mode=True, pipeline=steps)
    assert len(data) == 1
    packed = data[0]
    assert packed['inputs'].shape == (7, 3, *SIZE)
    sample = packed['data_samples']
    assert [r.id for r in sample.references] == ['0', '1', '2']
    areas = {k: rle_codec.area(v).tolist() for k, v in sample.gt_tubes.items()}
    assert areas == {'1': [16] * 7, '2': [36] * 7}


def test_wrong_references_keep_the_ground_truth(root):
    data = dataset(root, test_mode=True, wrong_references=True)
    references = data.get_data_info(0)['references']
    assert [(r.id, r.text, r.object_ids) for r in references] == [
        ('0', 'a zebra', ('1',)),
        ('1', 'a zebra', ('1',)),
        # Of the next other object, cyclically.
        ('2', 'the ape on the left', ('2',)),
    ]


def test_no_wrong_reference_in_a_video_with_one_object(root, logged):
    change(
        lists_of(root),
        *('videos', 'zoo', 'expressions', '2', 'obj_id'),
        value='1',
    )
    message = message_of(dataset, root, test_mode=True, wrong_references=True)
    assert message == (
        f'{root}: items is 0; expected a reference that can be used in split '
        "'train'; another split: --cfg-options "
        'test_dataloader.dataset.split=NAME (or val_dataloader)'
    )
    (message,) = logged
    assert 'left out 3 of' in message
    assert 'zoo: reference 2 is' in message
    assert 'another object in the video' in message


def test_unknown_categories_have_no_label(root):
    meta = root / 'train' / 'meta.json'
    change(meta, *('videos', 'zoo', 'objects', '2', 'category'), value='gnome')
    assert dataset(root).get_data_info(0)['labels'] == {'1': 1}


def test_class_aware_training_leaves_out_unknown_categories(root, logged):
    """Class-agnostic training keeps them."""
    meta = root / 'train' / 'meta.json'
    change(meta, *('videos', 'zoo', 'objects', '2', 'category'), value='gnome')
    assert len(dataset(root)) == 3 and logged == []
    data = dataset(root, class_aware=True)
    ids = [data.get_data_info(i)['references'][0].id for i in range(len(data))]
    assert ids == ['0', '1']
    (message,) = logged
    assert 'left out 1 of' in message
    assert message.endswith(
        'zoo: category of reference 2 (object 2) is None; expected one of '
        'the classes in METAINFO'
    )


def test_label_of_an_object_without_category(root):
    meta = root / 'train' / 'meta.json'
    change(meta, *('videos', 'zoo', 'objects', '2', 'category'), value='gnome')
    data = dataset(root, pipeline=[*LOAD, *PACK])
    labels = [
        data[i]['data_samples'][0].gt_instances.labels.tolist()
        for i in range(3)
    ]
    assert labels == [[1], [1], [-1]]


def test_a_clip_without_its_object_is_replaced(tmp_path):
    """Clips of one frame; the object is visible in 0 and 1 of 6 only."""
    ids = [square(SIZE, 4, 4)] * 2 + [np.zeros(SIZE, np.uint8)] * 4
    names = write_frames(tmp_path, 'train', 'a', ids)
    write_lists(
        tmp_path, 'train', {'a': (names, {'0': ('it', '1')})}, CATEGORIES
    )
    steps = [{'type': 'SampleClip', 'num_frames': 1}, *LOAD, *PACK]
    data = dataset(tmp_path, pipeline=steps, anchor_stride=1)
    assert len(data) == 6
    given = {data[i]['data_samples'].frame_ids[0] for i in range(6)}
    assert given == {'00000', '00005'}


def validation_set(root, with_test_file):
    videos = {name: (['00000'], {'0': ('it', None)}) for name in 'abcd'}
    write_lists(root, 'valid', videos)
    if with_test_file:
        write_lists(root, 'test', {name: videos[name] for name in 'bd'})
    return dataset(root, 'valid', test_mode=True, with_masks=False)


def test_validation_leaves_out_videos_of_the_test_file(tmp_path, logged):
    data = validation_set(tmp_path, with_test_file=True)
    ids = [data.get_data_info(i)['video_id'] for i in range(len(data))]
    assert ids == ['a', 'c']
    assert logged == []
    item = data.get_data_info(0)
    assert item['references'][0].object_ids == ()
    assert 'mask_path' not in item['frames'][0]


def test_validation_warns_if_the_test_file_is_missing(tmp_path, logged):
    assert len(validation_set(tmp_path, with_test_file=False)) == 4
    (message,) = logged
    assert f'{lists_of(tmp_path, "test")} is missing' in message
    assert 'all 4 videos' in message


# ------------------------------------------------- ground truth of validation


@pytest.fixture
def valid(tmp_path):
    """Validation videos with their ground truth, one of them of the test."""
    names = write_frames(tmp_path, 'valid', 'zoo', both_objects(2))
    write_frames(tmp_path, 'valid', 'farm', both_objects(2))
    expressions = {'0': ('an ape', '1'), '1': ('a zebra', '2')}
    videos = {'zoo': (names, expressions), 'farm': (names, expressions)}
    write_lists(tmp_path, 'valid', videos)
    hidden = {'0': ('it', None)}
    write_lists(tmp_path, 'test', {'farm': (names, hidden)})
    return tmp_path


def validation(root, **kwargs):
    steps = [LOAD[0], {**TUBES, 'optional': True}, *PACK]
    return dataset(
        root, 'valid', steps, test_mode=True, with_masks='auto', **kwargs
    )


def object_ids_of(data):
    return [r.object_ids for r in data.get_data_info(0)['references']]


def test_the_truth_of_validation_is_found(valid, logged):
    data = validation(valid)
    assert data.missing_truth is None and data.with_masks is True
    assert len(data) == 1 and object_ids_of(data) == [('1',), ('2',)]
    tubes = data[0]['data_samples'].gt_tubes
    for id, (first, _) in tubes.items():
        drawn = both_objects(1)[0] == int(id)
        assert (rle_codec.decode(first) == drawn).all()
    assert logged == []


@pytest.mark.parametrize('with_objects', [True, False])
def test_objects_of_expressions_in_meta_json(valid, with_objects, logged):
    """The list tells no objects, as published."""
    listed = {'expressions': {'0': {'obj_id': 2}, '1': {'obj_id': '1'}}}
    if with_objects:
        listed['objects'] = {id: {'category': 'ape'} for id in '12'}
    hidden = {'0': ('an ape', None), '1': ('a zebra', None)}
    names = ['00000', '00005']
    write_lists(valid, 'valid', {'zoo': (names, hidden)})
    meta = valid / 'valid/meta.json'
    meta.write_text(json.dumps({'videos': {'zoo': listed}}))
    data = validation(valid)
    assert object_ids_of(data) == [('2',), ('1',)]
    assert list(data[0]['data_samples'].gt_tubes) == ['2', '1']
    assert logged == []
    del listed['expressions']['1']
    meta.write_text(json.dumps({'videos': {'zoo': listed}}))
    data = validation(valid)
    assert data.missing_truth == (
        f'{lists_of(valid, "valid")}: videos.zoo.expressions.1.obj_id '
        f'(the object, here or in {meta})'
    )
    assert object_ids_of(data) == [(), ()]


def test_validation_without_the_whole_truth(valid, logged):
    """First frames alone, as of another task, then no masks at all."""
    masks = valid / 'valid/Annotations'
    (masks / 'zoo/00005.png').unlink()
    data = validation(valid)
    assert data.missing_truth == (
        f'{masks}/zoo/00005.png (one of 1 missing of 2 masks of the video)'
    )
    assert logged == [
        f"{data.missing_truth}: missing, so that split 'valid' is used "
        'without its ground truth'
    ]
    sample = data[0]['data_samples']
    assert 'gt_tubes' not in sample and object_ids_of(data) == [(), ()]
    assert len(sample.references) == 2
    for path in masks.rglob('*.png'):
        path.unlink()
    shutil.rmtree(masks)
    assert (
        validation(valid).missing_truth == f'{masks} (the masks of the split)'
    )


def test_masks_may_only_lack_where_that_is_said(valid):
    """A test set that should have its ground truth does not go without."""
    data = dataset(
        *(valid, 'valid', [LOAD[0], TUBES, *PACK]),
        **dict(test_mode=True, with_masks=False),
    )
    assert 'masks is None' in message_of(data.prepare_data, 0)
    message = message_of(dataset, valid, 'valid', with_masks='yes')
    assert "with_masks is 'yes'; expected one of (True, False, 'auto')" in (
        message
    )


def test_mini_set(mini):
    """Every item loads, with the ground truth of meta.json."""
    root, summary = mini
    cfg = load_config('configs/_base_/datasets/refvos_mini.py')
    data = dataset(root, pipeline=cfg.train_pipeline)
    assert len(data) == summary['counts']['train']['expressions'] > 0
    for index in range(0, len(data), 3):
        packed = data[index]
        assert packed['inputs'].shape == (cfg.num_frames, 3, 64, 64)
        sample = packed['data_samples']
        assert len(sample.references) == 1
        assert any(len(frame.gt_instances) for frame in sample)

    data = dataset(root, 'test', pipeline=cfg.test_pipeline, test_mode=True)
    sample = data[0]['data_samples']
    expressions = summary['counts']['test']['expressions']
    assert len(data) == 1 and len(sample.references) == expressions
    meta = json.loads((root / 'test/meta.json').read_text())
    objects = meta['videos'][sample.video_id]['objects']
    for object_id, tube in sample.gt_tubes.items():
        drawn = [
            name
            for name, rle in zip(sample.frame_ids, tube, strict=True)
            if rle is not None
        ]
        assert drawn == objects[object_id]['frames']


# ------------------------------------------------------------------ bad input


def test_only_references_with_the_given_cue(mini):
    root, summary = mini
    for kind in ('appearance', 'motion'):
        data = RefYouTubeVOSDataset(
            data_root=str(root), split='train', cues=[kind]
        )
        assert len(data) == summary['counts']['train'][kind]
        assert {
            data.get_data_info(i)['references'][0].cue
            for i in range(len(data))
        } == {kind}


def test_skipped_expressions_are_reported_once(root, logged):
    expressions = {
        'empty': {'exp': '  ', 'obj_id': '1'},
        'none': {'obj_id': '1'},
        'long': {'exp': 'ape ' * 2000, 'obj_id': '1'},
        'stranger': {'exp': 'a gnu', 'obj_id': '3'},
        'good': {'exp': 'a zebra', 'obj_id': 2},
    }
    change(lists_of(root), 'videos', 'zoo', 'expressions', value=expressions)
    data = dataset(root)
    assert [r.id for r in data.get_data_info(0)['references']] == ['good']
    assert len(data) == 1
    (message,) = logged
    head, *lines = message.splitlines()
    assert head.endswith(f'left out 4 of what {root} holds:')
    place = f'  {lists_of(root)}: videos.zoo.expressions'
    assert lines[0] == f"{place}.empty.exp is '  '; expected an expression"
    assert lines[1] == f'{place}.none.exp is None; expected an expression'
    assert lines[2].startswith(f"{place}.long.exp (2000 words) is 'ape ape ")
    assert lines[2].endswith('; expected at most 400 words')
    assert lines[3] == (
        f"{place}.stranger.obj_id is '3'; expected an object that appears "
        'in the video (meta.json)'
    )
    assert len(lines) == 4


def test_an_object_never_drawn_is_left_out(root, logged):
    meta = root / 'train' / 'meta.json'
    objects = {'1': {'frames': ['00000']}, '2': {'frames': []}}
    change(meta, 'videos', 'zoo', 'objects', value=objects)
    assert len(dataset(root)) == 2
    assert len(logged) == 1 and "expressions.2.obj_id is '2'" in logged[0]


def test_many_skips_are_summed_up_by_reason(root, logged):
    expressions = {str(i): {'exp': '', 'obj_id': '1'} for i in range(25)}
    expressions['25'] = {'exp': 'a gnu', 'obj_id': '3'}
    expressions['26'] = {'exp': 'an ape', 'obj_id': '1'}
    change(lists_of(root), 'videos', 'zoo', 'expressions', value=expressions)
    dataset(root)
    (message,) = logged
    lines = message.splitlines()
    assert 'left out 26 of' in lines[0] and len(lines) == 13
    assert lines[11] == '  and 15 more; expected an expression'
    assert lines[12].startswith('  and 1 more; expected an object that')


def test_missing_lists(root):
    file = lists_of(root)
    file.unlink()
    assert message_of(dataset, root) == (
        f"{file}: file is 'missing'; expected a file of the data set"
    )


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('{"videos": {', "file is 'Expecting property name"),
        ('[1, 2]', 'videos is None'),
        ('{"vids": {}}', 'videos is None'),
        ('{"videos": ["a"]}', "videos is ['a']"),
        ('{"videos": {"a": 3}}', 'videos.a.frames is None'),
        ('{"videos": {"a": {"frames": []}}}', 'videos.a.frames is []'),
        (
            '{"videos": {"a": {"frames": ["0", 5], "expressions": {"": 1}}}}',
            'videos.a.frames[1] is 5',
        ),
        ('[' * 100_000, 'file is '),
        (
            '{"videos": {"a": {"frames": ["0"], "expressions": [1]}}}',
            'videos.a.expressions is [1]',
        ),
        (
            '{"videos": {"a": {"frames": ["0"], "expressions": {"7": "b"}}}}',
            "videos.a.expressions.7 is 'b'",
        ),
    ],
)
def test_malformed_lists(root, content, words):
    lists_of(root).write_text(content)
    message = message_of(dataset, root)
    assert message.startswith(f'{lists_of(root)}: {words}')


@pytest.mark.parametrize('make', [Path.mkdir, os.mkfifo])
def test_lists_are_files(root, make):
    lists_of(root).unlink()
    make(lists_of(root))
    message = message_of(dataset, root)
    assert message.startswith(f'{lists_of(root)}: file is ')


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({'zoo': []}, 'videos.zoo is []'),
        ({'zoo': {'objects': ['1']}}, "videos.zoo.objects is ['1']"),
        ({'zoo': {'objects': {'1': 'ape'}}}, "videos.zoo.objects.1 is 'ape'"),
        ({'zoo': {'objects': {'1': {'frames': 3}}}}, 'videos.zoo.objects.1 '),
    ],
)
def test_objects_of_another_form(root, content, words):
    meta = root / 'train/meta.json'
    meta.write_text(json.dumps({'videos': content}))
    assert message_of(dataset, root).startswith(f'{meta}: {words}')


def test_missing_meta(root):
    meta = root / 'train' / 'meta.json'
    meta.unlink()
    assert message_of(dataset, root) == (
        f"{meta}: file is 'missing'; expected meta.json"
    )


@pytest.mark.parametrize('id', [None, 'ape', '', '²', '1' * 40])
def test_object_ids_are_needed_with_masks(root, id):
    path = ('videos', 'zoo', 'expressions', '1', 'obj_id')
    change(lists_of(root), *path, value=id)
    field = 'videos.zoo.expressions.1.obj_id'
    assert f'{lists_of(root)}: {field} is {id!r}; expected an object id' in (
        message_of(dataset, root)
    )


def test_unknown_split(root):
    message = message_of(dataset, root, 'val')
    assert "split is 'val'; expected one of ('train'" in message


def item_of(root):
    return dataset(root, pipeline=[*LOAD, *PACK])[0]


FRAME = 'train/JPEGImages/zoo/00010.jpg'
MASK = 'train/Annotations/zoo/00010.png'


@pytest.mark.parametrize(
    ('name', 'what'), [(FRAME, 'a frame'), (MASK, 'a mask')]
)
def test_missing_image(root, name, what):
    (root / name).unlink()
    assert message_of(item_of, root) == (
        f"{root / name}: file is 'missing'; expected {what}"
    )


@pytest.mark.parametrize('name', [FRAME, MASK])
@pytest.mark.parametrize('share', [0.0, 0.3, 0.7])
def test_truncated_image(root, name, share):
    file = root / name
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    message = message_of(item_of, root)
    assert message.startswith(f'{file}: content is ')
    assert '; expected a whole ' in message


def test_a_folder_instead_of_a_frame(root):
    (root / FRAME).unlink()
    (root / FRAME).mkdir()
    assert message_of(item_of, root) == (
        f"{root / FRAME}: file is 'Is a directory'; expected a frame"
    )


def test_mask_of_another_size(root):
    Image.fromarray(np.ones((16, 20), np.uint8)).save(root / MASK)
    assert message_of(item_of, root) == (
        f'{root / MASK}: size (height, width) is (16, 20); expected '
        f'(16, 24), as {root / FRAME}'
    )


def test_frame_of_another_size(root):
    Image.new('RGB', (24, 18)).save(root / FRAME)
    assert message_of(item_of, root) == (
        f'{root / FRAME}: size (height, width) is (18, 24); expected '
        '(16, 24), as the other frames of the video'
    )


def test_missing_frame_in_a_worker(root):
    """The error crosses the worker process with its message."""
    (root / FRAME).unlink()
    loader = DataLoader(
        dataset(root, pipeline=[*LOAD, *PACK]),
        num_workers=1,
        collate_fn=pseudo_collate,
    )
    with pytest.raises(InputError) as error:
        next(iter(loader))
    expected = f"{root / FRAME}: file is 'missing'; expected a frame"
    last = str(error.value).strip().splitlines()[-1]
    assert last == f'refvos.errors.InputError: {expected}'
    assert one_line(error.value) == expected


def test_frames_are_decoded_once_for_all_expressions(root, monkeypatch):
    """A test item is a video with all its references."""
    decoded = []
    decode = loading.read_image

    def decode_and_note(path, backend_args):
        decoded.append(path)
        return decode(path, backend_args)

    monkeypatch.setattr(loading, 'read_image', decode_and_note)
    videos = dataset(root, test_mode=True, pipeline=[dict(type='LoadFrames')])
    assert len(videos) == 1
    sample = videos[0]
    assert len(sample['references']) == 3
    assert decoded == [frame['img_path'] for frame in sample['frames']]
    assert len(set(decoded)) == 7


def test_part_of_the_data_for_joint_training(root):
    """One reference per video and every second item, as in MUTR."""
    whole = dataset(root, anchor_stride=2)
    anchors = [0, 2, 4, 6]
    assert [info['anchor'] for info in whole] == 3 * anchors
    part = dataset(
        root, anchor_stride=2, references_per_video=1, item_stride=2
    )
    assert [(info['references'][0].id, info['anchor']) for info in part] == [
        ('0', 0),
        ('0', 4),
    ]
    tested = dataset(
        root, references_per_video=1, item_stride=2, test_mode=True
    )
    assert len(tested[0]['references']) == 3
    with pytest.raises(InputError, match='item_stride is 0; expected at'):
        dataset(root, item_stride=0)


# --------------------------------- masks with other ids than the lists name


def write_masks_of(root, name, value):
    """Write a training video's masks with one id for every object."""
    frames = [np.where(ids, value, 0) for ids in both_objects(7)]
    write_frames(root, 'train', name, [ids.astype(np.uint8) for ids in frames])


def test_training_on_masks_without_any_named_id_is_an_error(root):
    """Masks of 0 and 255, as drawing programs write them."""
    write_masks_of(root, 'zoo', 255)
    data = dataset(root, pipeline=[*CLIP, *LOAD, *PACK])
    message = message_of(data.__getitem__, 0)
    file = f'{root}/train/Annotations/zoo/00000.png'
    assert message.startswith(f'{file}: object ids is [255]; expected ')
    assert 'in this or another frame of video zoo' in message


def test_a_reference_without_a_pixel_is_named_once(root, logged):
    """Other items replace it, and training continues."""
    frames = [square(SIZE, 8, 8, 6, 2)] * 7
    write_frames(root, 'train', 'zoo', frames)
    data = dataset(root, pipeline=[*CLIP, *LOAD, *PACK])
    drawn = {data[0]['data_samples'].references[0].id for _ in range(30)}
    assert drawn == {'2'}
    messages = [line for line in logged if 'object ids is [2]' in line]
    # Two references name the same object.
    assert len(messages) == 1
    assert 'expected 1 in this or another frame of video zoo' in messages[0]


def test_an_object_out_of_the_clip_is_no_error(root, logged):
    """It appears in the last frame only."""
    frames = [square(SIZE, 0, 0, 4, 7)] * 6 + [both_objects(1)[0]]
    write_frames(root, 'train', 'zoo', frames)
    data = dataset(root, pipeline=[*CLIP, *LOAD, *PACK])
    assert len(data[0]['data_samples'].references) == 1
    assert not [line for line in logged if 'object ids' in line]


def scored(root, **kwargs):
    """Items with their ground truth, as for a metric."""
    return dataset(root, test_mode=True, pipeline=[LOAD[0], TUBES], **kwargs)


def test_scoring_on_masks_without_any_named_id_is_an_error(root):
    """The first mask is empty: the second one tells."""
    write_masks_of(root, 'zoo', 255)
    empty = np.zeros(SIZE, np.uint8)
    write_frames(root, 'train', 'zoo', [empty, *[square(SIZE, 0, 0, 4, 255)]])
    change(
        lists_of(root),
        *('videos', 'zoo', 'frames'),
        value=['00000', '00005'],
    )
    message = message_of(scored(root).__getitem__, 0)
    assert message == (
        f'{root}/train/Annotations/zoo/00005.png: object ids is [255]; '
        'expected 1, 2 in this or another frame of video zoo'
    )


def test_scoring_warns_once_of_ids_that_are_not_named(root, logged):
    """Object 1 has another id in the masks; object 2 is as named."""
    frames = [square(SIZE, 0, 0, 4, 7) + square(SIZE, 8, 8, 6, 2)] * 7
    write_frames(root, 'train', 'zoo', frames)
    data = scored(root)
    for _ in range(2):
        tubes = data[0]['gt_tubes']
    assert tubes['1'] == [None] * 7
    assert all(rle_codec.area(rle) == 36 for rle in tubes['2'])
    assert logged == [
        f'{root}/train/Annotations/zoo/00000.png: object ids is [2, 7]; '
        'expected 1 in this or another frame of video zoo; the ground truth '
        'of objects that are never drawn is background'
    ]


@pytest.mark.parametrize(
    'frames',
    [
        [square(SIZE, 8, 8, 6, 2)] * 7,
        [np.zeros(SIZE, np.uint8)] * 7,
        [square(SIZE, 0, 0, 4, 7)] * 6 + both_objects(1),
    ],
    ids=['one never drawn', 'none ever drawn', 'all drawn, one id more'],
)
def test_scoring_allows_objects_that_are_absent(root, logged, frames):
    write_frames(root, 'train', 'zoo', frames)
    tubes = scored(root)[0]['gt_tubes']
    assert tubes['1'][:6] == [None] * 6
    assert logged == []


def test_scoring_warns_where_the_lists_name_no_objects(tmp_path, logged):
    """Without meta.json, an id may be an object that nobody refers to."""
    names = write_frames(tmp_path, 'valid', 'zoo', [square(SIZE, 0, 0, 4, 5)])
    videos = {'zoo': (names, {'0': ('an ape', '1')})}
    write_lists(tmp_path, 'valid', videos)
    write_lists(tmp_path, 'test', {})
    tubes = scored(tmp_path, split='valid')[0]['gt_tubes']
    assert tubes == {'1': [None]}
    (message,) = logged
    assert 'object ids is [5]; expected 1 in this or another' in message


def test_scoring_reads_each_mask_once(root, monkeypatch):
    """Also where it lists the ids of all masks."""
    write_frames(root, 'train', 'zoo', [square(SIZE, 8, 8, 6, 2)] * 7)
    paths = []
    real = masks.read_bytes

    def read_and_note(path, *args):
        paths.append(path)
        return real(path, *args)

    monkeypatch.setattr(masks, 'read_bytes', read_and_note)
    scored(root)[0]
    assert len(paths) == len(set(paths)) == 7


def test_colour_masks_are_named(root):
    path = root / 'train/Annotations/zoo/00000.png'
    Image.new('RGB', SIZE[::-1]).save(path)
    data = dataset(root, test_mode=True, pipeline=[LOAD[0], TUBES])
    assert message_of(data.__getitem__, 0) == (
        f"{path}: mode is 'RGB'; expected a palette (P) or grey (L) image "
        'whose values are object ids'
    )
