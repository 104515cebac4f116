"""A prepared folder is complete, or we say what it lacks."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from refvos.datasets.layout import find_benchmarks, move_data_root
from refvos.errors import InputError
from refvos.mini import make_mini
from tests.builders import load_script
from tests.test_datasets.folders import square, write_frames, write_lists

SIZE = (16, 24)


@pytest.fixture(scope='module')
def tool():
    # mmdet says once that it lacks an optional package.
    import mmdet.datasets  # noqa: F401

    return load_script('tools/check_dataset.py')


@pytest.fixture
def root(tmp_path):
    """2 training videos of 3 expressions, one of validation, one of test."""
    frames = [square(SIZE, 2, 2 + step) for step in range(3)]
    videos = {}
    for name, texts in (('cat', ['a cat', 'one cat']), ('dog', ['a dog'])):
        names = write_frames(tmp_path, 'train', name, frames)
        expressions = {str(i): (t, '1') for i, t in enumerate(texts)}
        videos[name] = (names, expressions)
    write_lists(tmp_path, 'train', videos, {'1': 'cat'})
    names = write_frames(tmp_path, 'valid', 'owl', frames[:2])
    shutil.rmtree(tmp_path / 'valid/Annotations')
    asked = {'0': ('an owl', None), '1': ('the bird', None)}
    tested = {'fox': (['00000'], {'0': ('a fox', None)})}
    # As published: the list of the validation has the test videos, too.
    write_lists(tmp_path, 'valid', {'owl': (names, asked), **tested})
    write_lists(tmp_path, 'test', tested)
    return tmp_path


def check(tool, root, capsys, *options):
    status = 0
    try:
        tool.main(['ref-youtube-vos', str(root), *options])
    except SystemExit as end:
        status = end.code
    lines = capsys.readouterr().out.splitlines()
    # Without what the data sets log.
    return status, [line for line in lines if ' - mmengine - ' not in line]


def test_complete_folder(tool, root, capsys):
    status, lines = check(tool, root, capsys)
    assert status == 0
    assert lines == [
        f'{root} is complete',
        'masks opened: all, of 2 videos or annotated frames',
        'train: 2 videos, 3 expressions',
        'valid: 1 videos, 2 expressions',
    ]


def test_everything_missing(tool, tmp_path, capsys):
    status, lines = check(tool, tmp_path / 'no', capsys)
    assert status == 1
    assert lines == [
        f'{tmp_path}/no: folder of Ref-YouTube-VOS',
        f'{tmp_path}/no is not complete: 1 missing',
    ]


def test_missing_parts(tool, root, capsys):
    (root / 'train/JPEGImages/cat/00005.jpg').unlink()
    (root / 'train/JPEGImages/cat/00010.jpg').unlink()
    shutil.rmtree(root / 'train/Annotations/dog')
    shutil.rmtree(root / 'valid/JPEGImages')
    (root / 'train/meta.json').unlink()
    status, lines = check(tool, root, capsys)
    assert status == 1
    assert lines == [
        f'{root}/train/meta.json: file of the published data set',
        f'{root}/train/JPEGImages/cat/00005.jpg: one of 2 missing of 3 '
        'frames of the video',
        f'{root}/train/Annotations/dog: folder with 3 masks of the video',
        f'{root}/valid/JPEGImages/owl: folder with 2 frames of the video',
        f'{root} is not complete: 4 missing',
    ]
    status, lines = check(tool, root, capsys, '--lines', '1')
    assert lines[1:] == ['and 3 more', f'{root} is not complete: 4 missing']


def test_test_videos_are_checked_where_their_folder_is(tool, root, capsys):
    (root / 'test/JPEGImages').mkdir(parents=True)
    status, lines = check(tool, root, capsys)
    assert status == 1
    assert lines[0] == (
        f'{root}/test/JPEGImages/fox: folder with 1 frames of the video'
    )
    write_frames(root, 'test', 'fox', [np.zeros(SIZE, np.uint8)])
    assert check(tool, root, capsys)[0] == 0


def test_the_list_of_the_test_is_optional(tool, root, capsys):
    """As it is for the reader, which then uses all of valid."""
    shutil.rmtree(root / 'meta_expressions/test')
    content = {'videos': {}}
    file = root / 'meta_expressions/valid/meta_expressions.json'
    content['videos']['owl'] = json.loads(file.read_text())['videos']['owl']
    file.write_text(json.dumps(content))
    status, lines = check(tool, root, capsys)
    assert status == 0
    assert lines[0] == f'{root} is complete'
    assert lines[3] == 'valid: 1 videos, 2 expressions'


def rewrite(root, name, value, count=3):
    frames = [square(SIZE, 2, 2 + step, value=value) for step in range(count)]
    write_frames(root, 'train', name, frames)


def test_masks_without_named_ids_are_wrong(tool, root, capsys):
    rewrite(root, 'dog', 255)
    status, lines = check(tool, root, capsys)
    assert status == 1
    assert lines == [
        f'{root}/train/Annotations/dog/00000.png: object ids is [255]; '
        'expected 1 in this or another frame of video dog',
        f'{root} is not usable: 1 wrong',
    ]
    # Only the masks of the first of both videos, or of none.
    assert check(tool, root, capsys, '--videos', '1')[0] == 0
    assert check(tool, root, capsys, '--videos', '0')[0] == 0
    assert check(tool, root, capsys, '--videos', 'all')[0] == 1


def test_ids_that_no_list_names_are_noted(tool, root, capsys):
    """The object itself is there, so that the set can be used."""
    frames = [square(SIZE, 2, 2) + square(SIZE, 12, 12, 3, 255)] * 3
    write_frames(root, 'train', 'cat', frames)
    status, lines = check(tool, root, capsys)
    assert status == 0
    assert lines[:2] == [
        f'note: {root}/train/Annotations/cat/00000.png: object id is 255; '
        'expected one that the lists name',
        f'{root} is complete',
    ]


def test_masks_of_another_form_or_size_are_wrong(tool, root, capsys):
    path = root / 'train/Annotations/cat/00005.png'
    Image.new('RGB', SIZE[::-1]).save(path)
    small = root / 'train/Annotations/dog/00010.png'
    Image.new('P', (5, 4)).save(small)
    status, lines = check(tool, root, capsys)
    assert status == 1
    assert lines[0].startswith(f"{path}: mode is 'RGB'; expected a palette")
    assert lines[1].startswith(f'{small}: size (height, width) is (4, 5);')
    assert lines[2] == f'{root} is not usable: 2 wrong'


def test_frames_of_two_sizes_are_wrong(tool, root, capsys):
    path = root / 'valid/JPEGImages/owl/00005.jpg'
    Image.new('RGB', (5, 4)).save(path)
    status, lines = check(tool, root, capsys)
    assert status == 1
    assert lines[0] == (
        f'{path}: size (height, width) is (4, 5); expected {SIZE}, as the '
        'other frames of the video'
    )


def test_broken_lists(tool, root, capsys):
    file = root / 'meta_expressions/train/meta_expressions.json'
    whole = file.read_text()
    file.write_text(whole[:-5])
    status, (line, _) = check(tool, root, capsys)
    assert status == 1
    assert line.startswith(f'{file}: file is ') and 'well-formed' in line
    # What only the loader sees: an object id that is none.
    content = json.loads(whole)
    content['videos']['cat']['expressions']['0']['obj_id'] = 'x'
    file.write_text(json.dumps(content))
    status, (line, _) = check(tool, root, capsys)
    assert status == 1
    assert line.startswith(
        f"{file}: videos.cat.expressions.0.obj_id is 'x'; expected"
    )
    assert line.endswith(' (train)')
    del content['videos']['cat']['frames']
    file.write_text(json.dumps(content))
    status, lines = check(tool, root, capsys)
    assert lines[0] == f'{root}/train/cat: a list of its frames'


@pytest.mark.parametrize('subset', ['s4', 'ms3'])
def test_avsbench(tool, tmp_path, capsys, subset):
    """Each subset alone: people may have one and not the other."""
    root = tmp_path / 'set'
    made = {'train': 1, 'val': 1, 'test': 1, 'frames': 5, 'size': (64, 64)}
    make_mini(
        root, **made, layouts=[f'avsbench-{subset}'], workers=0, progress=False
    )
    tool.main([f'avsbench-{subset}', str(root)])
    assert capsys.readouterr().out.startswith(f'{root} is complete')
    shutil.rmtree(root / f'{subset}_data/audio_wav')
    tool.main([f'avsbench-{subset}', str(root)])
    capsys.readouterr()
    # A mask may be black: nothing sounds; but not all of them.
    masks = sorted((root / f'{subset}_data/gt_masks').rglob('*.png'))
    kept = {mask: mask.read_bytes() for mask in masks}
    for mask in masks:
        Image.new('L', (64, 64)).save(mask)
    with pytest.raises(SystemExit):
        tool.main([f'avsbench-{subset}', str(root)])
    assert 'objects in the masks is []; expected some' in (
        capsys.readouterr().out
    )
    for mask, content in kept.items():
        mask.write_bytes(content)
    shutil.rmtree(root / f'{subset}_data/audio_log_mel')
    with pytest.raises(SystemExit):
        tool.main([f'avsbench-{subset}', str(root)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f'{root} is not complete: 3 missing'
    assert 'train_00000.wav: sound of the clip, or' in lines[0]
    other = {'s4': 'ms3', 'ms3': 's4'}[subset]
    with pytest.raises(SystemExit):
        tool.main([f'avsbench-{other}', str(root)])
    assert f'{root}/{other}_meta_data.csv' in capsys.readouterr().out


def test_unknown_benchmark(tool, root, capsys):
    with pytest.raises(SystemExit) as end:
        tool.main(['no-such', str(root)])
    assert end.value.code == 2
    assert 'ref-youtube-vos' in capsys.readouterr().err


def test_every_benchmark_says_what_an_empty_folder_lacks(tmp_path):
    """Each names paths below the folder that it was given."""
    benchmarks = find_benchmarks()
    assert 'ref-youtube-vos' in benchmarks
    for name, check_layout in benchmarks.items():
        missing = check_layout(str(tmp_path))
        assert missing, name
        for line in missing:
            path, colon, content = line.partition(': ')
            assert path.startswith(str(tmp_path)), (name, line)
            assert colon and content, (name, line)


def test_folders_below_the_data_root_move_along():
    node = {
        'data_root': 'data/a',
        'inner': [{'ann_file': 'data/a/x.json'}, 'data/ab', 3],
    }
    assert move_data_root(node, 'data/a', '/new') == {
        'data_root': '/new',
        'inner': [{'ann_file': '/new/x.json'}, 'data/ab', 3],
    }


def test_config_of_a_benchmark(tool, monkeypatch, tmp_path):
    monkeypatch.setattr(tool, 'CONFIGS', tmp_path)
    for name in ('ref_coco_pretrain', 'mevis', 'mevis_mini', 'refvos_mini'):
        (tmp_path / f'{name}.py').touch()
    for benchmark, file in (('refcoco', 'ref_coco_pretrain'), ('mevis',) * 2):
        assert tool.find_config(benchmark) == tmp_path / f'{file}.py'
    assert tool.find_config('ref-davis17') is None


def test_unreadable_config_is_no_missing_data(tool, root, monkeypatch):
    monkeypatch.setattr(tool, 'CONFIGS', root)
    (root / 'ref_youtube_vos.py').write_text('1 / 0\n')
    with pytest.raises(InputError, match='ZeroDivisionError'):
        tool.load_datasets('ref-youtube-vos', str(root))
