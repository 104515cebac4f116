"""RefCOCO, RefCOCO+ and RefCOCOg in both published forms."""

import collections
import json
import os
import pickle

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image
from pycocotools import mask as rle_codec

from refvos.datasets import RefCOCODataset
from refvos.datasets.mask_check import check_video
from refvos.datasets.refcoco import check_layout
from refvos.io.data_files import load_plain_pickle
from refvos.io.masks import read_masks
from refvos.mini import make_mini, make_video
from refvos.mini.writers.refcoco import is_proven, outline
from tests.builders import message_of

from ..test_mini.test_mini import hashes
from . import coco_files
from .coco_files import (
    BOXES,
    MASKS,
    SIZES,
    as_python2,
    file_name,
    make_refs,
    write_coco_form,
    write_images,
    write_pickle_form,
)

LOAD = [{'type': 'LoadFrames'}, {'type': 'LoadTubes'}]
LOAD_ALL = [LOAD[0], {'type': 'LoadTubes', 'as_rle': True}]
PACK = [{'type': 'PackRefInputs'}]
SPLITS = ('train', 'val', 'testA')


@pytest.fixture
def root(tmp_path):
    write_images(tmp_path)
    write_pickle_form(tmp_path)
    write_coco_form(tmp_path)
    return tmp_path


def dataset(root, split='train', name='refcoco', pipeline=(), **kwargs):
    return RefCOCODataset(
        str(root), name, split, pipeline=list(pipeline), **kwargs
    )


def items_of(data):
    return [data.get_data_info(index) for index in range(len(data))]


def compared(items):
    """Items with their references as dicts: references do not compare."""
    return [
        {**item, 'references': [vars(each) for each in item['references']]}
        for item in items
    ]


# ------------------------------------------------------------------ two forms


@pytest.mark.parametrize('form', ['coco', 'pickle'])
def test_training_items(root, form):
    items = items_of(dataset(root, form=form))
    assert [
        (r.id, r.text, r.object_ids) for i in items for r in i['references']
    ] == [
        ('100', 'the man on the left', ('11',)),
        ('101', 'left guy', ('11',)),
        ('102', 'all the people', ('13',)),
    ]
    for item in items:
        (frame,) = item['frames']
        assert frame['img_path'] == f'{root}/train2014/{file_name(1)}'
        assert item['video_id'] == frame['frame_id'] == file_name(1)[:-4]
        # Items only have the outlines of their own objects.
        (reference,) = item['references']
        assert tuple(frame['segmentations']) == reference.object_ids
    # COCO's first and last category.
    assert items[0]['labels'] == {'11': 0, '13': 0}
    assert items[0]['gt_boxes'] == {'11': [[2.25, 3.0, 9.75, 9.0]]}
    (brush,) = items_of(dataset(root, 'val', form=form))
    assert brush['labels'] == {'12': 79}


@pytest.mark.parametrize('split', SPLITS)
@pytest.mark.parametrize('test_mode', [False, True])
def test_both_forms_give_the_same(root, split, test_mode):
    coco, pickled = (
        items_of(dataset(root, split, form=form, test_mode=test_mode))
        for form in ('coco', 'pickle')
    )
    assert len(coco) > 0
    assert compared(coco) == compared(pickled)


@pytest.mark.parametrize('form', ['coco', 'pickle'])
def test_test_items_are_images_with_all_references(root, form):
    (item,) = items_of(dataset(root, form=form, test_mode=True))
    assert [r.id for r in item['references']] == ['100', '101', '102']
    assert set(item['frames'][0]['segmentations']) == {'11', '13'}
    data = dataset(root, form=form, test_mode=True, pipeline=LOAD_ALL + PACK)
    sample = data[0]['data_samples']
    assert sample.ori_shape == SIZES[1] and len(sample) == 1
    assert list(sample.gt_tubes) == ['11', '13']
    for id, (rle,) in sample.gt_tubes.items():
        assert (rle_codec.decode(rle) == MASKS[int(id)]).all()
    assert sample.gt_boxes['11'] == [[2.25, 3.0, 9.75, 9.0]]


def test_the_form_is_found(root):
    assert dataset(root).find_form() == 'coco'
    (root / 'refcoco/instances_refcoco_train.json').unlink()
    assert dataset(root).find_form() == 'pickle'
    (root / 'refcoco/refs(unc).p').unlink()
    assert message_of(dataset, root) == (
        f"{root}/refcoco: files is 'missing'; expected "
        'instances_refcoco_train.json, or refs(unc).p and instances.json'
    )


def test_refcocog_is_split_by_umd(tmp_path):
    write_images(tmp_path)
    refs = make_refs()
    refs[3]['split'] = 'test'
    write_pickle_form(tmp_path, 'refcocog', as_python2(refs))
    (item,) = items_of(dataset(tmp_path, 'test', 'refcocog', test_mode=True))
    assert item['references'][0].text == 'a brush'


def test_names_and_splits(root):
    message = message_of(dataset, root, name='refclef')
    assert "name is 'refclef'; expected one of ('refcoco'," in message
    message = message_of(dataset, root, 'test')
    assert "split is 'test'; expected one of ('train', 'val', 'testA'" in (
        message
    )
    assert "form is 'yaml'" in message_of(dataset, root, form='yaml')


def test_the_ground_truth_is_optional(root):
    (item,) = items_of(dataset(root, 'val', test_mode=True, with_masks=False))
    assert 'segmentations' not in item['frames'][0]
    assert item['references'][0].object_ids == ()


# ------------------------------------------- images that other splits test on


@pytest.fixture(params=['coco', 'pickle'])
def sharing(request, tmp_path, monkeypatch):
    """RefCOCO trains on both images; RefCOCO+ or RefCOCOg tests on one."""
    write = {'coco': write_coco_form, 'pickle': write_pickle_form}
    sets = {
        'refcoco': [(11, 'train', ['a', 'b']), (21, 'train', ['c'])],
        'refcoco+': [(21, 'testA', ['d']), (12, 'train', ['e'])],
        'refcocog': [(21, 'train', ['f']), (11, 'train', ['g'])],
    }
    write_images(tmp_path)

    def write_sets(**changed):
        for name, refs in {**sets, **changed}.items():
            monkeypatch.setattr(coco_files, 'REFS', refs)
            write[request.param](tmp_path, name)

    write_sets()
    return tmp_path, write_sets


def texts_of(data):
    return [item['references'][0].text for item in items_of(data)]


def test_images_of_other_sets_tests_can_be_left_out(sharing):
    (root, write_sets), option = sharing, {'leave_out_tested_images': True}
    # As published: all of them.
    assert texts_of(dataset(root)) == ['a', 'b', 'c']
    assert texts_of(dataset(root, **option)) == ['a', 'b']
    assert texts_of(dataset(root, name='refcoco+', **option)) == ['e']
    assert texts_of(dataset(root, name='refcocog', **option)) == ['g']
    # The other image, of a validation.
    write_sets(refcocog=[(11, 'val', ['x']), (21, 'train', ['y'])])
    assert texts_of(dataset(root)) == ['a', 'b', 'c']
    assert message_of(dataset, root, **option).startswith(
        f'{root}: items is 0; expected a reference that can be used'
    )


def test_lists_of_all_sets_are_needed_to_leave_images_out(sharing):
    root, _ = sharing
    for path in (root / 'refcocog').iterdir():
        path.unlink()
    assert texts_of(dataset(root)) == ['a', 'b', 'c']
    message = message_of(dataset, root, leave_out_tested_images=True)
    assert message == (
        f'{root}/refcocog/instances_refcocog_val.json: file is '
        "'missing'; expected a list, for leave_out_tested_images"
    )
    message = message_of(
        dataset, root, 'val', 'refcocog', leave_out_tested_images=True
    )
    assert message == (
        'RefCOCODataset: leave_out_tested_images is True; expected False, '
        "for split 'val'; it is for split 'train'"
    )


def test_the_log_counts_what_is_left_out(sharing, caplog):
    MMLogger.get_current_instance().addHandler(caplog.handler)
    dataset(sharing[0], leave_out_tested_images=True)
    MMLogger.get_current_instance().removeHandler(caplog.handler)
    assert (
        'refcoco: left out 1 references to 1 images that are in a validation '
        'or test split of refcoco, refcoco+, refcocog'
    ) in caplog.text


# ---------------------------------------------------------------------- masks


@pytest.mark.parametrize(
    ('split', 'id'), [('train', 11), ('val', 12), ('testA', 21)]
)
def test_masks_and_boxes_in_training(root, split, id):
    data = dataset(root, split, pipeline=LOAD + PACK)
    (frame,) = data[0]['data_samples']
    truth = frame.gt_instances
    assert (truth.masks.masks[0] == MASKS[id]).all()
    rows, columns = MASKS[id].nonzero()
    assert truth.bboxes.tolist() == [
        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    ]


def test_a_crowd_is_drawn_from_its_rle(root):
    data = dataset(root, pipeline=LOAD + PACK)
    (frame,) = data[2]['data_samples']
    assert (frame.gt_instances.masks.masks[0] == MASKS[13]).all()


def frame_with(segmentation, size=(20, 30)):
    return {
        'img_path': 'a.jpg',
        'ori_shape': size,
        'segmentations': {'1': segmentation, '2': None},
    }


def test_every_kind_of_outline_draws_the_same():
    mask = MASKS[11]
    compressed = rle_codec.encode(np.asfortranarray(mask, np.uint8))
    text = {**compressed, 'counts': compressed['counts'].decode()}
    # 2 empty columns and 3 rows; 8 columns of 6 pixels with 14 between.
    counts = [43, *[6, 14] * 7, 6, 20 * 20 + 11]
    plain = {'size': [20, 30], 'counts': counts}
    polygon = [[2, 3, 10, 3, 10, 9, 2, 9]]
    for given in (compressed, text, plain, polygon):
        found = read_masks(frame_with(given), ['1', '2', '3'])
        assert found['1'].dtype == bool
        assert (found['1'] == mask).all()
        assert found['2'] is None and found['3'] is None


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ([[1, 2, 3, 4]], 'a polygon has three corners at least'),
        ([], 'a polygon has three corners at least'),
        ({'size': [20, 30]}, "polygons or RLE ('counts')"),
        ({'size': [20, 30], 'counts': 5}, 'polygons or RLE'),
        ({'size': [20, 30], 'counts': [3, 9999]}, 'polygons or RLE'),
        ([['a'] * 6], 'polygons or RLE'),
        ({'size': [2, 3], 'counts': [6]}, 'is (2, 3); expected (20, 30)'),
        ({'size': [2**31, 2**31], 'counts': '1'}, 'size is height and width'),
        ([[0, 0, 1e10, 0, 1e10, 1e10]], 'an outline of '),
    ],
)
def test_invalid_outlines(given, words):
    message = message_of(read_masks, frame_with(given), ['1'])
    assert message.startswith('a.jpg: segmentations.1')
    assert words in message


def test_an_image_of_another_size_than_listed(root):
    """Outlines are in the pixels of the image that was annotated."""
    name = root / 'train2014' / file_name(1)
    Image.new('RGB', (15, 10)).save(name)
    data = dataset(root, pipeline=LOAD)
    assert message_of(data.prepare_data, 0) == (
        f'{name}: size (height, width), upright is (10, 15); expected '
        f'{SIZES[1]}, as its list of annotations says'
    )
    report = check_video(dataset(root, test_mode=True).get_data_info(0))
    assert 'as its list of annotations says' in report.errors[0]
    # Turned by a quarter when it is shown.
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (30, 20)).save(name, exif=exif)
    assert 'is (30, 20); expected (20, 30)' in message_of(data.prepare_data, 0)


# -------------------------------------------------------------------- pickles


class RunsCommand:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


def test_a_pickle_with_a_command_is_refused(root):
    marker, file = root / 'marker', root / 'refcoco/refs(unc).p'
    content = pickle.dumps([*make_refs(), RunsCommand(marker)])
    write_pickle_form(root, content=content)
    message = message_of(dataset, root, form='pickle')
    assert message.startswith(f"{file}: content is '")
    assert 'system wanted' in message
    assert 'expected a whole pickle of lists, dicts, strings' in message
    assert not marker.exists()
    # The command runs if the pickle is loaded without restriction.
    pickle.loads(content)
    assert marker.exists()


@pytest.mark.parametrize('protocol', [0, 2, 4])
@pytest.mark.parametrize(
    'value', [np.zeros(2), collections.OrderedDict(a=1), print]
)
def test_harmless_classes_are_refused_too(tmp_path, value, protocol):
    file = tmp_path / 'refs.p'
    file.write_bytes(pickle.dumps([value], protocol))
    assert ' wanted' in message_of(load_plain_pickle, file)


@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_plain_pickles_are_read(tmp_path, protocol):
    value = [{'a': [1, 2.5, None, True], 'b': ('é', b'x', 2**70, {3})}]
    if protocol < 4:
        # These protocols pickle sets by class name.
        value[0]['b'] = ('é', 2**70)
    file = tmp_path / 'refs.p'
    file.write_bytes(pickle.dumps(value, protocol))
    assert load_plain_pickle(file) == value


def test_python2_strings_are_strings(tmp_path):
    file = tmp_path / 'refs.p'
    content = as_python2([{'sent': 'caf\xe9', 'id': -3}])
    # Python 3 reads them as ASCII by default.
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(content)
    file.write_bytes(content)
    assert load_plain_pickle(file) == [{'sent': 'café', 'id': -3}]


@pytest.mark.parametrize('kind', ['key', 'key of several', 'set', 'frozenset'])
def test_keys_that_share_their_parts(tmp_path, kind):
    """Their hash would take 12**30 steps."""
    shared = b'K\x07'
    for _ in range(30):
        shared += b'0'.join([b'q\x00', b'(' + b'h\x00' * 12 + b't'])
    content = {
        'key': b'}' + shared + b'K\x01s.',
        'key of several': b'}(' + shared + b'K\x01u.',
        'set': b'\x8f(' + shared + b'\x90.',
        'frozenset': b'(' + shared + b'\x91.',
    }[kind]
    file = tmp_path / 'refs.p'
    file.write_bytes(b'\x80\x04' + content)
    assert "content is 'a tuple as a key'" in message_of(
        load_plain_pickle, file
    )


@pytest.mark.parametrize('share', [0.0, 0.3, 0.9])
def test_truncated_pickle(root, share):
    file = root / 'refcoco/refs(unc).p'
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    message = message_of(dataset, root, form='pickle')
    assert message.startswith(f'{file}: content is ')


def test_missing_pickle(root):
    file = root / 'refcoco/refs(unc).p'
    file.unlink()
    assert message_of(dataset, root, form='pickle') == (
        f"{file}: file is 'missing'; expected a file of the data set"
    )


def test_a_pickle_of_something_else(root):
    write_pickle_form(root, content=pickle.dumps({'a': 1}))
    assert "content is {'a': 1}; expected a list of references" in (
        message_of(dataset, root, form='pickle')
    )


# ---------------------------------------------------------------------- dirty


def test_skipped_entries_of_a_pickle(root, logged):
    refs = make_refs()
    refs[0]['sentences'][1]['sent'] = '  '
    refs[1]['ann_id'] = 99
    refs += [{**refs[0], 'split': 'trial'}, 'ref', {**refs[0], 'image_id': 9}]
    write_pickle_form(root, content=as_python2(refs))
    items = items_of(dataset(root, form='pickle'))
    assert [i['references'][0].id for i in items] == ['100']
    (message,) = logged
    lines = message.splitlines()[1:]
    file = f'  {root}/refcoco/refs(unc).p: '
    assert lines[0] == (
        f"{file}[0].sentences[1].sent is '  '; expected an expression"
    )
    assert lines[1].startswith(f'{file}[1] (ann_id 99).annotation is None')
    assert lines[2].startswith(f"{file}[4].split is 'trial'; expected one of")
    assert lines[3].startswith(f"{file}[5].split is 'ref'")
    assert 'instances.json: image 9.file_name is None' in lines[4]
    assert len(lines) == 5


def test_skipped_entries_of_a_list(root, logged):
    file = root / 'refcoco/instances_refcoco_train.json'
    content = json.loads(file.read_text())
    content['images'][0]['caption'] = None
    content['annotations'][1]['segmentation'] = [[1, 2, 3, 4]]
    content['images'].append({**content['images'][2], 'id': 5})
    file.write_text(json.dumps(content))
    items = items_of(dataset(root))
    assert [i['references'][0].id for i in items] == ['102']
    (message,) = logged
    lines = message.splitlines()[1:]
    assert lines == [
        f'  {file}: images[0].caption is None; expected an expression',
        f'  {file}: images[1].segmentation is [[1, 2, 3, 4]]; expected '
        'polygons of three points or more, or an RLE',
        f'  {file}: images[3].annotation is None; expected an annotated '
        'object',
    ]


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('{"images": [', "file is 'Expecting value"),
        ('{"images": []}', 'annotations is None; expected the list of'),
        ('[]', 'images is None'),
        ('{"images": [3], "annotations": []}', 'images[0] is 3'),
        ('{"images": [{"id": []}], "annotations": []}', 'images[0].id is []'),
    ],
)
def test_malformed_lists(root, content, words):
    file = root / 'refcoco/instances_refcoco_train.json'
    file.write_text(content)
    message = message_of(dataset, root)
    assert message.startswith(f'{file}: {words}')


def test_folders_in_a_file_name_are_ignored(root):
    file = root / 'refcoco/instances_refcoco_train.json'
    content = json.loads(file.read_text())
    content['images'][0]['file_name'] = f'../../etc/{file_name(1)}'
    file.write_text(json.dumps(content))
    (frame,) = dataset(root).get_data_info(0)['frames']
    assert frame['img_path'] == f'{root}/train2014/{file_name(1)}'


# --------------------------------------------------------------------- layout


def test_check_layout(root):
    missing = check_layout(str(root))
    # The lists of RefCOCO+ and RefCOCOg are missing.
    assert len(missing) == 4 + 3
    assert missing[0] == (
        f'{root}/refcoco+/instances_refcoco+_train.json: the train '
        "expressions of refcoco+ in COCO's form (or refs(unc).p and "
        'instances.json)'
    )
    write_pickle_form(root, 'refcoco+')
    write_pickle_form(root, 'refcocog')
    assert check_layout(str(root)) == []
    (root / 'refcocog/instances.json').unlink()
    (root / 'train2014' / file_name(2)).unlink()
    lines = check_layout(str(root))
    assert lines[-1] == (
        f'{root}/refcocog/instances.json: what refs(umd).p refers to'
    )
    lists = ('instances.json', 'instances_refcoco_testA.json')
    assert lines[:2] == [
        f'{root}/train2014/{file_name(2)}: an image that '
        f'{root}/refcoco/{name} names'
        for name in lists
    ]
    assert check_layout(str(root / 'none'))[0] == (
        f"{root}/none/train2014: COCO's train2014 images (.jpg)"
    )


# ---------------------------------------------------------------- RefVOS-Mini


@pytest.fixture(scope='module')
def mini_coco(shared_mini):
    arguments = {
        'train': 3,
        'val': 1,
        'test': 2,
        'frames': 3,
        'layouts': ('refcoco',),
    }
    return shared_mini(**arguments), arguments


def test_same_bytes_for_any_number_of_processes(mini_coco, tmp_path):
    root, arguments = mini_coco
    make_mini(tmp_path / 'set', workers=2, progress=False, **arguments)
    assert hashes(tmp_path / 'set') == hashes(root)


@pytest.mark.parametrize(
    ('name', 'split'),
    [
        ('refcoco', 'train'),
        ('refcoco', 'testA'),
        ('refcoco', 'testB'),
        ('refcoco+', 'val'),
        ('refcocog', 'test'),
    ],
)
def test_mini_in_both_forms(mini_coco, name, split):
    root = mini_coco[0] / 'coco'
    assert check_layout(str(root)) == []
    coco, pickled = (
        items_of(dataset(root, split, name, form=form, test_mode=True))
        for form in ('coco', 'pickle')
    )
    assert compared(coco) == compared(pickled)
    kinds = {r.cue for item in coco for r in item['references']}
    assert 'appearance' in kinds and 'motion' not in kinds
    if name == 'refcoco+':
        assert kinds == {'appearance'}


def test_mini_masks_are_those_of_the_scene(mini_coco):
    """All objects of the middle frame, exactly, with holes."""
    root = mini_coco[0] / 'coco'
    content = json.loads((root / 'refcoco/instances.json').read_text())
    kinds = set()
    for index in range(3):
        video = make_video(0, 'train', index, 3)
        ids = video.rendering.ids[1]
        annotations = [
            a for a in content['annotations'] if a['image_id'] == index + 1
        ]
        seen = set(np.unique(ids)) - {0}
        assert {a['id'] % 10 for a in annotations} == seen
        for annotation in annotations:
            kinds.add(type(annotation['segmentation']))
            frame = {
                'ori_shape': ids.shape,
                'segmentations': {'1': annotation['segmentation']},
            }
            mask = read_masks(frame, ['1'])['1']
            assert (mask == (ids == annotation['id'] % 10)).all()
            assert annotation['area'] == mask.sum()
            x, y, width, height = annotation['bbox']
            inside = mask[y : y + height, x : x + width]
            assert inside.sum() == mask.sum()
            assert inside[[0, -1]].any(1).all()
            assert inside[:, [0, -1]].any(0).all()
    assert list in kinds


def test_outlines_with_holes_are_runs():
    ring = MASKS[11].copy()
    ring[5, 5] = False
    assert isinstance(outline(MASKS[11]), list)
    runs = outline(ring)
    assert runs['counts'][:3] == [43, 6, 14] and sum(runs['counts']) == 600
    found = read_masks(frame_with(runs), ['1'])['1']
    assert (found == ring).all()


def test_an_expression_needs_its_object_in_the_frame():
    """Proven on the whole video, but invisible in a frame."""
    unseen = 0
    for index in range(80):
        video = make_video(0, 'train', index)
        for expression in video.expressions:
            row = int(expression.object_id) - 1
            for time in range(8):
                if video.facts.areas[row, time] == 0:
                    unseen += 1
                    assert not is_proven(expression, video.facts, time)
        if unseen:
            break
    assert unseen > 0


def test_annotated_boxes_are_near_the_masks():
    """Check the hand-made files."""
    for id, (x, y, width, height) in BOXES.items():
        rows, columns = MASKS[id].nonzero()
        assert abs(x - columns.min()) < 1 and abs(y - rows.min()) < 1
        assert abs(x + width - columns.max() - 1) < 1
        assert abs(y + height - rows.max() - 1) < 1
