"""Ref-DAVIS17: raw files, the converter, the data set."""

import json
import os
import re
import socket
import subprocess

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from refvos.datasets import RefDAVIS17Dataset
from refvos.datasets.converters import convert_ref_davis17
from refvos.datasets.ref_davis17 import check_layout
from refvos.datasets.ref_davis17_constants import ANNOTATORS
from refvos.errors import InputError
from refvos.mini.writers.files import write_jpeg, write_mask
from tests.builders import load_script

from .folders import paint, square

SIZE = (16, 24)
TOOL = load_script('tools/dataset_converters/ref_davis17.py')


def write_video(root, name, masks):
    for kind, write, suffix, images in (
        ('JPEGImages', write_jpeg, 'jpg', [paint(ids) for ids in masks]),
        ('Annotations_unsupervised', write_mask, 'png', masks),
    ):
        folder = root / 'DAVIS' / kind / '480p' / name
        folder.mkdir(parents=True)
        for index, image in enumerate(images):
            write(folder / f'{index:05d}.{suffix}', image)


def write_texts(root, texts):
    """Write the files of ``texts``, annotator -> lines as bytes."""
    folder = root / 'davis_text_annotations'
    folder.mkdir(exist_ok=True)
    for annotator in ANNOTATORS:
        content = b'\n'.join(texts[annotator]) + b'\n'
        (folder / f'Davis17_{annotator}.txt').write_bytes(content)


def lines_of(annotator):
    """Lines of an annotator: two objects of ``dogs``, one of ``goat``."""
    return [
        b'dogs 2 "The second, %s"' % annotator.encode(),
        b'dogs 1 "The first, %s"' % annotator.encode(),
        b'goat 1 "A goat, %s"' % annotator.encode(),
    ]


@pytest.fixture
def raw(tmp_path):
    """A video of two frames with three objects and void, and a goat."""
    root = tmp_path / 'raw'
    ids = square(SIZE, 0, 0, 4, 1) + square(SIZE, 8, 8, 6, 2)
    ids = ids + square(SIZE, 0, 20, 2, 3) + square(SIZE, 14, 22, 2, 255)
    write_video(root, 'dogs', [ids, square(SIZE, 0, 0, 4, 1)])
    write_video(root, 'goat', [square(SIZE, 4, 4)])
    lists = root / 'DAVIS/ImageSets/2017'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('goat\n')
    (lists / 'val.txt').write_text('dogs\n')
    write_texts(root, {name: lines_of(name) for name in ANNOTATORS})
    return root


def convert(raw, **kwargs):
    dst = raw.parent / 'converted'
    return dst, convert_ref_davis17(raw, dst, progress=False, **kwargs)


def read(path):
    return json.loads(path.read_text(encoding='utf-8'))


def expressions_of(dst, split, video):
    file = dst / 'meta_expressions' / split / 'meta_expressions.json'
    return read(file)['videos'][video]['expressions']


# ------------------------------------------------------------- the converter


def test_numbers_are_four_times_the_object_plus_the_annotator(raw):
    dst, summary = convert(raw)
    found = expressions_of(dst, 'valid', 'dogs')
    assert {id: (e['obj_id'], e['exp']) for id, e in found.items()} == {
        '0': ('1', 'The first, annot1'),
        '1': ('1', 'The first, annot1_full_video'),
        '2': ('1', 'The first, annot2'),
        '3': ('1', 'The first, annot2_full_video'),
        '4': ('2', 'The second, annot1'),
        '5': ('2', 'The second, annot1_full_video'),
        '6': ('2', 'The second, annot2'),
        '7': ('2', 'The second, annot2_full_video'),
    }
    assert summary == {
        'train': {'videos': 1, 'objects': 1, 'expressions': 4},
        # The third dog is drawn without expressions.
        'valid': {'videos': 1, 'objects': 3, 'expressions': 8},
        'problems': [],
    }
    objects = read(dst / 'valid/meta.json')['videos']['dogs']['objects']
    assert objects == {
        '1': {'frames': ['00000', '00001']},
        '2': {'frames': ['00000']},
        '3': {'frames': ['00000']},
    }
    assert check_layout(dst) == []


@pytest.mark.parametrize('copy', [False, True])
def test_links_or_copies(raw, copy):
    dst, _ = convert(raw, copy=copy)
    for kind, raw_kind, name in (
        ('JPEGImages', 'JPEGImages', '00001.jpg'),
        ('Annotations', 'Annotations_unsupervised', '00001.png'),
    ):
        folder = dst / 'valid' / kind / 'dogs'
        assert folder.is_symlink() == (not copy)
        source = raw / 'DAVIS' / raw_kind / '480p/dogs' / name
        assert (folder / name).read_bytes() == source.read_bytes()
    # Links stay valid if both folders are moved.
    new = raw.parent / 'elsewhere'
    new.mkdir()
    for folder in (raw, dst):
        os.rename(folder, new / folder.name)
    assert check_layout(new / 'converted') == []


def test_latin_1_is_read(raw):
    texts = {name: lines_of(name) for name in ANNOTATORS}
    # An e with acute in Latin-1; 0x85 is a line break to str.splitlines.
    texts['annot2'][2] = b'goat 1 "the goat at the caf\xe9\x85 left"\r'
    texts['annot1'][2] = 'goat 1 "the goat at the café"'.encode()
    write_texts(raw, texts)
    dst, summary = convert(raw)
    found = expressions_of(dst, 'train', 'goat')
    assert found['0']['exp'] == 'the goat at the café'
    assert found['2']['exp'] == 'the goat at the café\x85 left'
    assert summary['problems'] == []
    data = RefDAVIS17Dataset(str(dst), 'train')
    texts = [i['references'][0].text for i in map(data.get_data_info, (0, 2))]
    assert texts == ['the goat at the café', 'the goat at the café left']


def test_oddities_are_reported(raw):
    texts = {name: lines_of(name) for name in ANNOTATORS}
    texts['annot1'] += [b'', b'dogs one "a dog"', b'dogs 1 "again"']
    texts['annot2'][1] = b'dogs 1 " "'
    texts['annot2_full_video'] += [b'cat 1 "a cat"', b'dogs 7 a ghost']
    write_texts(raw, texts)
    (raw / 'DAVIS/ImageSets/2017/train.txt').write_text('goat\nsilent\n')
    write_video(raw, 'silent', [square(SIZE, 0, 0)])
    dst, summary = convert(raw)
    folder = raw / 'davis_text_annotations'
    lines = [line.replace(str(folder), '') for line in summary['problems']]
    missing = 'is None; expected one from each annotator'
    assert lines == [
        '/Davis17_annot1.txt:5: line is \'dogs one "a dog"\'; expected '
        '<video> <object> "<expression>"',
        '/Davis17_annot1.txt:6: line is \'dogs 1 "again"\'; expected one '
        'expression for the object; the first stays',
        '/Davis17_annot2.txt:2: line is \'dogs 1 " "\'; expected '
        '<video> <object> "<expression>"',
        *(
            f'/Davis17_{name}.txt: expression for cat 1 {missing}'
            for name in ANNOTATORS[:3]
        ),
        f'/Davis17_annot2.txt: expression for dogs 1 {missing}',
        *(
            f'/Davis17_{name}.txt: expression for dogs 7 {missing}'
            for name in ANNOTATORS[:3]
        ),
        ": video is 'cat'; expected one of ImageSets/2017",
        ': expressions for silent is None; expected some',
        ': object 7 of dogs is None; expected one that the masks show',
    ]
    found = expressions_of(dst, 'valid', 'dogs')
    # Ids of missing expressions are not used.
    assert sorted(found, key=int) == ['0', '1', '3', '4', '5', '6', '7', '11']
    assert found['0']['exp'] == 'The first, annot1'
    assert (found['11']['obj_id'], found['11']['exp']) == ('7', 'a ghost')
    assert list(read(dst / 'train/meta.json')['videos']) == ['goat']


def test_categories_of_davis_semantics(raw):
    semantics = {'dogs': {'1': 'dog', '2': 'dachshund'}}
    (raw / 'DAVIS/davis_semantics.json').write_text(json.dumps(semantics))
    dst, _ = convert(raw)
    objects = read(dst / 'valid/meta.json')['videos']['dogs']['objects']
    assert [o.get('category') for o in objects.values()] == [
        *('dog', 'dachshund', None)
    ]
    (item,) = [RefDAVIS17Dataset(str(dst), 'valid', test_mode=True)[0]]
    # Index among Ref-YouTube-VOS's categories.
    assert item['labels'] == {'1': 13}


@pytest.mark.parametrize(
    ('lost', 'words'),
    [
        ('davis_text_annotations/Davis17_annot2.txt', 'expected expressions'),
        ('DAVIS/ImageSets/2017/val.txt', 'expected the videos of val'),
        (
            'DAVIS/Annotations_unsupervised/480p/dogs/00001.png',
            "file is 'missing'; expected a mask",
        ),
    ],
)
def test_a_missing_file_stops_without_output(raw, lost, words):
    (raw / lost).unlink()
    with pytest.raises(InputError, match=re.escape(words)) as error:
        convert(raw)
    assert str(error.value).startswith(str(raw / lost))
    assert os.listdir(raw.parent) == ['raw']


def test_only_a_new_or_empty_folder_is_written_to(raw):
    dst = raw.parent / 'converted'
    dst.mkdir()
    convert(raw)
    before = sorted(dst.rglob('*'))
    with pytest.raises(InputError, match='a folder that is new or empty'):
        convert(raw)
    assert sorted(dst.rglob('*')) == before


def test_the_partial_folder_of_a_killed_run_is_removed(raw):
    dead = subprocess.Popen(['true'])
    dead.wait()
    name = f'.converted.{socket.gethostname()}-{dead.pid}.partial'
    left = raw.parent / name / 'train'
    left.mkdir(parents=True)
    (left / 'old.txt').touch()
    dst, _ = convert(raw)
    assert not left.exists() and not (dst / 'train/old.txt').exists()


def test_tool(raw, capsys):
    texts = {name: lines_of(name) for name in ANNOTATORS}
    texts['annot1'].append(b'gibberish')
    write_texts(raw, texts)
    dst = raw.parent / 'new'
    TOOL.main([str(raw), str(dst), '--quiet'])
    out, err = capsys.readouterr()
    assert out == (
        'train: 1 videos, 1 objects, 4 expressions\n'
        'valid: 1 videos, 3 objects, 8 expressions\n'
    )
    assert "Davis17_annot1.txt:4: line is 'gibberish'" in err
    assert TOOL.run_tool(TOOL.main, [str(raw), str(dst)]) == 2
    assert 'expected a folder that is new or empty' in capsys.readouterr().err


# --------------------------------------------------------------- the data set


def test_test_items_hold_all_objects_and_void(raw):
    dst, _ = convert(raw)
    steps = [
        {'type': 'LoadFrames'},
        {'type': 'LoadTubes', 'as_rle': True},
        {'type': 'PackRefInputs'},
    ]
    data = RefDAVIS17Dataset(str(dst), 'valid', test_mode=True, pipeline=steps)
    assert len(data) == 1
    sample = data[0]['data_samples']
    kinds = [(r.id, r.annotator, r.object_ids) for r in sample.references]
    assert kinds == [
        (str(4 * place + i), annotator, (str(place + 1),))
        for place in range(2)
        for i, annotator in enumerate(ANNOTATORS)
    ]
    areas = {
        key: [0 if rle is None else int(rle_codec.area(rle)) for rle in tube]
        for key, tube in sample.gt_tubes.items()
    }
    assert areas == {'1': [16, 16], '2': [36, 0], '3': [4, 0], '255': [4, 0]}


def test_void_is_no_object_in_training(raw):
    """Training masks do not contain void."""
    for path in (raw / 'DAVIS/Annotations_unsupervised').rglob('*/dogs/*'):
        ids = square(SIZE, 2, 2, 6, 255)
        ids[4:6, 4:6] = 1
        write_mask(path, ids)
    (raw / 'DAVIS/ImageSets/2017/train.txt').write_text('dogs\n')
    (raw / 'DAVIS/ImageSets/2017/val.txt').write_text('goat\n')
    dst, _ = convert(raw)
    steps = [
        {'type': 'SampleClip', 'num_frames': 2},
        {'type': 'LoadFrames'},
        {'type': 'LoadTubes'},
        {'type': 'PackRefInputs'},
    ]
    np.random.seed(0)
    data = RefDAVIS17Dataset(str(dst), 'train', pipeline=steps)
    # Without the four expressions of the second dog, which is never drawn.
    assert len(data) == 4
    for frame in data[0]['data_samples']:
        (mask,) = frame.gt_instances.masks.masks
        assert mask.sum() == 4 and mask[4:6, 4:6].all()


def test_an_object_never_drawn_competes_at_test_time_only(raw, logged):
    for path in (raw / 'DAVIS/Annotations_unsupervised').rglob('*/dogs/*'):
        write_mask(path, square(SIZE, 0, 0, 4, 1))
    dst, _ = convert(raw)
    data = RefDAVIS17Dataset(str(dst), 'valid', test_mode=True)
    assert len(data[0]['references']) == 8
    assert len(RefDAVIS17Dataset(str(dst), 'valid')) == 4
    assert len(logged) == 1 and 'left out 4 of' in logged[0]


def write_masks_again(dst, ids):
    for path in (dst / 'valid/Annotations/dogs').glob('*'):
        write_mask(path, ids)


def read_truth(dst):
    steps = [{'type': 'LoadFrames'}, {'type': 'LoadTubes', 'as_rle': True}]
    data = RefDAVIS17Dataset(str(dst), 'valid', test_mode=True, pipeline=steps)
    return data[0]['gt_tubes']


def test_void_alone_is_no_ground_truth(raw):
    """Masks of 0 and 255: void stands where the objects should."""
    dst, _ = convert(raw, copy=True)
    write_masks_again(dst, square(SIZE, 0, 0, 4, 255))
    with pytest.raises(InputError) as error:
        read_truth(dst)
    assert str(error.value) == (
        f'{dst}/valid/Annotations/dogs/00000.png: object ids is [255]; '
        'expected 1, 2 in this or another frame of video dogs'
    )


def test_void_beside_an_object_that_is_never_drawn_is_expected(raw, logged):
    dst, _ = convert(raw, copy=True)
    ids = square(SIZE, 0, 0, 4, 1) + square(SIZE, 14, 22, 2, 255)
    write_masks_again(dst, ids)
    assert read_truth(dst)['2'] == [None, None]
    assert logged == []
    write_masks_again(dst, ids + square(SIZE, 8, 8, 2, 9))
    assert read_truth(dst)['2'] == [None, None]
    (message,) = logged
    assert 'object ids is [1, 9, 255]; expected 2 in this' in message


def test_one_annotator_alone(raw):
    dst, _ = convert(raw)
    data = RefDAVIS17Dataset(
        str(dst), 'valid', test_mode=True, annotators=['annot2']
    )
    assert [r.id for r in data[0]['references']] == ['2', '6']


def test_expressions_must_be_numbered(raw):
    dst, _ = convert(raw)
    file = dst / 'meta_expressions/valid/meta_expressions.json'
    file.write_text(file.read_text().replace('"4"', '"four"'))
    with pytest.raises(InputError) as error:
        RefDAVIS17Dataset(str(dst), 'valid', test_mode=True)
    assert str(error.value).startswith(
        f"{file}: videos.dogs.expressions is 'four'; expected a number: four "
    )


def test_check_layout_names_what_is_missing(raw):
    dst, _ = convert(raw, copy=True)
    (dst / 'valid/Annotations/dogs/00001.png').unlink()
    (dst / 'train/meta.json').unlink()
    (dst / 'train/JPEGImages/goat/00000.jpg').unlink()
    (dst / 'train/JPEGImages/goat').rmdir()
    assert check_layout(dst) == [
        f'{dst}/train/meta.json: objects of the split',
        f'{dst}/train/JPEGImages/goat: folder with 1 frames of the video',
        f'{dst}/valid/Annotations/dogs/00001.png: one of 1 missing of 2 '
        'masks of the video',
    ]
    assert len(check_layout(dst / 'nowhere')) == 4
