"""``check_dataset`` opens the masks of every benchmark.

A set in the layout of each is made, and spoiled in one place.
"""

import json
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle_codec
from scipy.io import savemat

from refvos.datasets import mask_check
from refvos.datasets.converters import convert_ref_davis17
from refvos.datasets.layout import find_benchmarks
from refvos.mini import make_mini
from tests.builders import load_script

SIZE = (64, 64)
WORDS = ('ref-youtube-vos', 'a2d', 'jhmdb', 'ref-davis17', 'mevis', 'refcoco')
SOUNDS = ('avsbench-s4', 'avsbench-ms3')
# Benchmark -> its folder, and what its complete set says at the end.
FOLDERS = {
    'ref-youtube-vos': 'words',
    'refvos-mini': 'words',
    'ref-davis17': 'davis',
    'a2d-sentences': 'words',
    'jhmdb-sentences': 'words',
    'mevis': 'words/mevis',
    'refcoco': 'words/coco',
    'avsbench-s4': 'sounds',
    'avsbench-ms3': 'sounds',
}


@pytest.fixture(scope='module')
def tool():
    # mmdet says once that it lacks an optional package.
    import mmdet.datasets  # noqa: F401

    return load_script('tools/check_dataset.py')


@pytest.fixture(scope='module')
def made(make_once):
    def fill(folder):
        for name, layouts, frames in (
            ('words', WORDS, 3),
            ('sounds', SOUNDS, 5),
        ):
            make_mini(
                folder / name,
                **dict(train=2, val=2, test=2, frames=frames, size=SIZE),
                **dict(layouts=layouts, workers=0, progress=False),
            )
        convert_ref_davis17(folder / 'words', folder / 'davis', progress=False)

    return make_once('check-masks', fill)


@pytest.fixture
def check(tool, made, tmp_path, capsys):
    """Copy a benchmark's folder; give it and a function that checks it."""

    def copy(benchmark):
        source = made / FOLDERS[benchmark]
        root = shutil.copytree(source, tmp_path / benchmark)

        def run(*options):
            status = 0
            try:
                tool.main([benchmark, str(root), *options])
            except SystemExit as end:
                status = end.code
            lines = capsys.readouterr().out.splitlines()
            return status, [x for x in lines if ' - mmengine - ' not in x]

        return root, run

    return copy


def test_every_benchmark_is_here():
    assert set(FOLDERS) == set(find_benchmarks())


@pytest.mark.parametrize('benchmark', FOLDERS)
def test_a_complete_set(check, benchmark):
    root, run = check(benchmark)
    status, lines = run()
    assert status == 0, lines
    notes = [line for line in lines if line.startswith('note: ')]
    assert lines[len(notes)] == f'{root} is complete'
    assert lines[len(notes) + 1].startswith('masks opened: all, of ')


# ------------------------------------------------------------------- id maps


def rewrite(path, change):
    """Change the ids of a mask; keep its palette and mode."""
    with Image.open(path) as image:
        ids, palette = np.array(image), image.getpalette()
    changed = Image.fromarray(change(ids).astype(np.uint8), 'P')
    changed.putpalette(palette)
    changed.save(path)


def white(ids):
    return np.where(ids > 0, 255, 0)


def masks_of(root, split):
    """Masks of the last video of a split: not a sample of the first."""
    folder = sorted((root / split / 'Annotations').iterdir())[-1]
    return sorted(folder.glob('*.png'))


ID_MAPS = [
    ('ref-youtube-vos', 'train'),
    ('ref-youtube-vos', 'valid'),
    ('refvos-mini', 'train'),
    ('refvos-mini', 'valid'),
    ('refvos-mini', 'test'),
    ('ref-davis17', 'train'),
    ('ref-davis17', 'valid'),
]


@pytest.mark.parametrize(('benchmark', 'split'), ID_MAPS)
def test_masks_of_0_and_255(check, benchmark, split):
    root, run = check(benchmark)
    masks = masks_of(root, split)
    for path in masks:
        rewrite(path, white)
    status, lines = run()
    assert status == 1
    assert lines[-1] == f'{root} is not usable: 1 wrong'
    assert lines[-2].startswith(f'{masks[0]}: object ids is [255]; expected ')


@pytest.mark.parametrize('benchmark', ['ref-youtube-vos', 'refvos-mini'])
def test_one_mask_of_0_and_255(check, benchmark):
    """The objects are in the other frames, so that it would train."""
    root, run = check(benchmark)
    path = masks_of(root, 'train')[1]
    assert (np.array(Image.open(path)) > 0).any()
    rewrite(path, white)
    status, lines = run()
    assert status == 1
    assert lines[-2].startswith(f"{path}: object ids is [255]; expected ['1'")


@pytest.mark.parametrize(('benchmark', 'split'), ID_MAPS)
def test_masks_in_colour_or_of_another_size(check, benchmark, split):
    root, run = check(benchmark)
    path = masks_of(root, split)[-1]
    Image.new('RGB', SIZE).save(path)
    status, lines = run()
    assert status == 1
    assert lines[-2].startswith(f"{path}: mode is 'RGB'; expected ")
    Image.new('P', (5, 4)).save(path)
    status, lines = run()
    assert status == 1
    assert lines[-2].startswith(f'{path}: size (height, width) is (4, 5)')


@pytest.mark.parametrize(('benchmark', 'split'), ID_MAPS)
def test_an_object_without_pixels(check, benchmark, split):
    """One is noted; without any, the video cannot be used."""
    root, run = check(benchmark)
    masks = masks_of(root, split)
    shown = set().union(*(np.unique(Image.open(path)) for path in masks))
    gone = min(shown - {0, 255})
    for path in masks:
        rewrite(path, lambda ids: np.where(ids == gone, 0, ids))
    status, lines = run()
    assert status == 0
    assert any(
        line.startswith(f'note: {masks[0]}: object ids is [')
        and f'; expected {gone} in this or another frame' in line
        for line in lines
    )
    for path in masks:
        rewrite(path, np.zeros_like)
    status, lines = run()
    assert status == 1
    assert lines[-2].startswith(f'{masks[0]}: object ids is []; expected ')


def test_an_id_that_meta_json_does_not_name(check):
    root, run = check('ref-youtube-vos')
    path = masks_of(root, 'train')[0]

    def add(ids):
        ids[0, 0] = 99
        return ids

    rewrite(path, add)
    status, lines = run()
    assert status == 0
    assert (
        f'note: {path}: object id is 99; expected one that the lists name'
        in lines
    )


# ------------------------------------------------------ a mask for each object


def zero_h5(path):
    with h5py.File(path, 'r+') as file:
        file['reMask'][...] = 0


def test_a2d(check):
    root, run = check('a2d-sentences')
    rows = json.loads(
        (root / 'a2d_sentences_single_frame_test_annotations.json').read_text()
    )
    folder = root / 'text_annotations/a2d_annotation_with_instances'
    names = dict.fromkeys((row[1], row[2]) for row in rows)
    files = [folder / video / f'{int(at):05d}.h5' for video, at in names]
    zero_h5(files[-1])
    status, lines = run()
    assert status == 0
    assert any(
        line.startswith(f'note: {files[-1]}: objects in the masks is []')
        for line in lines
    )
    with h5py.File(files[0], 'r+') as file:
        file['instance'][...] = 77
    status, lines = run()
    assert status == 1
    assert lines[-2].startswith(f'{files[0]}: instance is [77')
    with h5py.File(files[0], 'w') as file:
        file['instance'] = np.array([1.0])
        file['reMask'] = np.ones((3, 4), np.uint8)
    status, lines = run()
    assert status == 1
    assert f'{files[0]}: size (height, width) is (4, 3)' in lines[-2]


def test_jhmdb(check):
    root, run = check('jhmdb-sentences')
    files = sorted(root.rglob('puppet_mask.mat'))
    savemat(files[0], {'part_mask': np.zeros((*SIZE, 3), np.uint8)})
    status, lines = run()
    assert status == 0
    assert any(
        line.startswith(f'note: {files[0]}: objects in the masks is []')
        for line in lines
    )
    savemat(files[0], {'part_mask': np.ones((5, 4, 3), np.uint8)})
    status, lines = run()
    assert status == 1
    assert f'{files[0]}: size (height, width) is (5, 4)' in lines[-2]


def encoded(mask):
    rle = rle_codec.encode(np.asfortranarray(mask, np.uint8))
    return {'size': rle['size'], 'counts': rle['counts'].decode()}


def test_mevis(check):
    root, run = check('mevis')
    file = root / 'valid_u/mask_dict.json'
    masks = json.loads(file.read_text())
    lists = json.loads((root / 'valid_u/meta_expressions.json').read_text())
    (*_, video) = lists['videos'].values()
    (*_, expression) = video['expressions'].values()
    gone = str(expression['anno_id'][0])
    masks[gone] = [encoded(np.zeros(SIZE)) for _ in masks[gone]]
    file.write_text(json.dumps(masks))
    status, lines = run()
    assert status == 0
    assert any(
        line.startswith('note: ') and f'; expected {gone} in this' in line
        for line in lines
    )
    masks[gone][0] = encoded(np.ones((4, 5)))
    file.write_text(json.dumps(masks))
    status, lines = run()
    assert status == 1
    assert f'segmentations.{gone}: size (height, width) is (4, 5)' in lines[-2]


@pytest.mark.parametrize(
    ('name', 'split'), [('refcoco', 'testB'), ('refcocog', 'test')]
)
def test_refcoco(check, name, split):
    """Also in splits that the config does not use."""
    root, run = check('refcoco')
    status, lines = run()
    # Every split of the three sets is read.
    assert sum(' videos, ' in line for line in lines) == 4 + 4 + 3
    file = root / name / f'instances_{name}_{split}.json'
    content = json.loads(file.read_text())
    for annotation in content['annotations']:
        annotation['segmentation'] = encoded(np.zeros(SIZE))
    file.write_text(json.dumps(content))
    status, lines = run()
    assert status == 1
    assert 'objects in the masks is []; expected some' in lines[-2]
    for annotation in content['annotations']:
        annotation['segmentation'] = encoded(np.ones((4, 5)))
    file.write_text(json.dumps(content))
    status, lines = run()
    assert status == 1
    assert any('size (height, width) is (4, 5)' in line for line in lines)


@pytest.mark.parametrize('subset', ['s4', 'ms3'])
def test_avsbench(check, subset):
    """White is right, black may be, but not in all; colour is read."""
    root, run = check(f'avsbench-{subset}')
    masks = sorted((root / f'{subset}_data/gt_masks/test').rglob('*.png'))
    Image.new('L', SIZE).save(masks[0])
    assert run()[0] == 0
    Image.new('L', (5, 4)).save(masks[0])
    status, lines = run()
    assert status == 1
    assert lines[-2].startswith(f'{masks[0]}: size (height, width) is (4, 5)')
    for path in masks:
        Image.new('L', SIZE).save(path)
    status, lines = run()
    assert status == 1
    assert 'objects in the masks is []; expected some' in lines[-2]


# ------------------------------------------------------------ samples, workers


def test_a_sample_says_that_it_is_one(check):
    root, run = check('ref-youtube-vos')
    for path in masks_of(root, 'train'):
        rewrite(path, white)
    status, lines = run('--videos', '1')
    assert status == 0
    assert lines[:2] == [
        f'{root} is complete',
        'masks opened: of 2 of 4 videos or annotated frames; the others may '
        'be wrong (--videos all)',
    ]
    assert run('--videos', '0')[1][1].startswith('masks opened: of 0 of 4 ')
    assert run('--videos', 'all')[0] == 1


def test_several_processes_find_what_one_does(check, monkeypatch):
    root, run = check('ref-youtube-vos')
    for path in masks_of(root, 'train'):
        rewrite(path, white)
    Image.new('RGB', SIZE).save(masks_of(root, 'valid')[0])
    one = run('--workers', '1')
    assert one[0] == 1 and len(one[1]) == 3
    monkeypatch.setattr(mask_check, 'FEW', 2)
    assert run('--workers', '2') == one
