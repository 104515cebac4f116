"""JHMDB-Sentences: layout, items, masks and bad input."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle_codec
from scipy.io import savemat

from refvos.datasets import JHMDBSentencesDataset
from refvos.datasets.jhmdb_sentences import check_layout, is_row
from refvos.mini import make_mini, make_video
from tests.builders import load_config, message_of

from .folders import WINDOW_STEPS, paint, square

SIZE = (24, 32)
NUM_FRAMES = 4
LIST = 'jhmdb_sentences_samples_metadata.json'
FRAMES = 'Rename_Images/brush_hair/April'
MASKS = 'puppet_mask/brush_hair/April/puppet_mask.mat'


def person(index):
    return square(SIZE, 6, 5 * index, 10)


def row(frame=2, text='a Woman brushes  her hair', prefix='/ssd/jhmdb/'):
    return [
        'April',
        f'{prefix}{FRAMES}/{frame:05d}.png',
        f'{prefix}{MASKS}',
        NUM_FRAMES,
        text,
    ]


def write_masks(root, masks, name='part_mask'):
    path = root / MASKS
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {name: masks})


def write_rows(root, *rows):
    (root / LIST).write_text(json.dumps(rows))


@pytest.fixture
def root(tmp_path):
    """One video of four frames; the second is the target frame."""
    (tmp_path / FRAMES).mkdir(parents=True)
    for index in range(NUM_FRAMES):
        path = tmp_path / FRAMES / f'{index + 1:05d}.png'
        Image.fromarray(paint(person(index))).save(path)
    masks = [person(i).astype(np.uint8) for i in range(NUM_FRAMES)]
    write_masks(tmp_path, np.stack(masks, 2))
    write_rows(tmp_path, row())
    return tmp_path


def dataset(root, steps=WINDOW_STEPS, **kwargs):
    return JHMDBSentencesDataset(str(root), pipeline=list(steps), **kwargs)


def item_of(root):
    return dataset(root)[0]


@pytest.mark.parametrize('prefix', ['/ssd/jhmdb/', './jhmdb/', ''])
def test_an_item_is_the_window_around_its_frame(root, prefix):
    write_rows(root, row(prefix=prefix))
    data = dataset(root)
    assert len(data) == 1
    packed = data[0]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (5, 3, *SIZE)
    (reference,) = sample.references
    assert reference.id == 'v_April_f_2'
    assert reference.text == 'a woman brushes her hair'
    assert (sample.target_frames, sample.frame_ids) == ([2], ['00002'])
    assert sample.img_paths == [f'{root}/{FRAMES}/00002.png']
    ((rle,),) = sample.gt_tubes.values()
    assert np.array_equal(rle_codec.decode(rle), person(1))
    # Frames -1 (0 repeated), 0, 1, 2, 3, by the left side of the square.
    light = packed['inputs'][:, 0, 8] == 255
    assert light.int().argmax(1).tolist() == [0, 0, 5, 10, 15]


def test_expressions_of_one_frame_are_one_item(root):
    write_rows(root, row(), row(text='she'), row(3))
    data = dataset(root)
    ids = [
        [r.id for r in data.get_data_info(i)['references']] for i in range(2)
    ]
    assert ids == [['v_April_f_2', 'v_April_f_2'], ['v_April_f_3']]


def test_a_single_frame_has_no_time_axis(root):
    """MATLAB drops the last axis of length 1."""
    short = row(1)
    short[3] = 1
    write_rows(root, short)
    write_masks(root, person(0))
    ((rle,),) = item_of(root)['data_samples'].gt_tubes.values()
    assert rle_codec.area(rle) == 100


def test_the_published_sizes(root):
    cfg = load_config('configs/_base_/datasets/jhmdb_sentences.py')
    packed = dataset(root, cfg.test_pipeline)[0]
    assert packed['inputs'].shape == (5, 3, 360, 480)
    assert packed['data_samples'].ori_shape == SIZE


def test_skipped_rows_are_reported_once(root, logged):
    bad = [
        row(text=''),
        row()[:4],
        row(9),
        ['April', 'images/00002.png', MASKS, 4, 'a woman'],
        ['April', f'{FRAMES}/first.png', MASKS, 4, 'a woman'],
        ['April', f'{FRAMES}/../00002.png', MASKS, 4, 'a woman'],
    ]
    write_rows(root, *bad, row())
    assert len(dataset(root)) == 1
    (message,) = logged
    head, *lines = message.splitlines()
    assert head.endswith(f'left out 6 of what {root} holds:')
    assert lines[0] == f"  {root / LIST}: row 0 is ''; expected an expression"
    for number, line in enumerate(lines[1:], 1):
        assert line.startswith(f'  {root / LIST}: row {number} is [')
        assert line.endswith(
            'expected video, frame in Rename_Images, masks in puppet_mask, '
            'number of frames, expression'
        )


def test_missing_files(root):
    (root / MASKS).unlink()
    assert message_of(item_of, root) == (
        f"{root / MASKS}: file is 'missing'; expected masks "
        f'({root / LIST}, row 0)'
    )
    (root / FRAMES / '00003.png').unlink()
    assert message_of(item_of, root) == (
        f"{root / FRAMES}/00003.png: file is 'missing'; expected a frame"
    )
    (root / LIST).unlink()
    assert message_of(dataset, root) == (
        f"{root / LIST}: file is 'missing'; expected a file of the data set"
    )


def test_a_list_that_claims_more_frames_than_there_are(root):
    claimed = row()
    claimed[3] = 999_999_999
    write_rows(root, claimed)
    assert message_of(item_of, root) == (
        f'{root / FRAMES}: number of frames is {NUM_FRAMES}; expected '
        f'999999999 ({root / LIST})'
    )
    missing = check_layout(str(root))
    assert 0 < len(missing) < 200
    for count in ('9' * 5000, '²'):
        claimed[3] = count
        assert not is_row(claimed), count


def test_broken_masks(root):
    path = root / MASKS
    content = path.read_bytes()
    for broken in (b'', b'nonsense' * 50, content[:200]):
        path.write_bytes(broken)
        message = message_of(item_of, root)
        assert message.startswith(f'{path}: content is ')
        assert message.endswith('; expected a MATLAB file with part_mask')
    write_masks(root, np.ones((*SIZE, 4)), 'other')
    assert 'a MATLAB file with part_mask' in message_of(item_of, root)
    write_masks(root, np.ones((*SIZE, 1)))
    assert message_of(item_of, root) == (
        f'{path}: shape of part_mask is (24, 32, 1); expected (height, '
        'width, frames), at least 2 frames'
    )
    write_masks(root, np.ones((20, 32, 4)))
    assert message_of(item_of, root) == (
        f'{path}: size (height, width) is (20, 32); expected (24, 32), as '
        f'{root}/{FRAMES}/00002.png'
    )


def test_check_layout(root, tmp_path):
    assert check_layout(str(root)) == []
    (root / FRAMES / '00004.png').unlink()
    (root / MASKS).unlink()
    assert check_layout(str(root)) == [
        f'{root / FRAMES}/00004.png: frame of a video',
        f'{root / MASKS}: masks of a video',
    ]
    (root / LIST).unlink()
    assert check_layout(str(root)) == [
        f'{root / LIST}: file of the published data set'
    ]
    gone = tmp_path / 'gone'
    assert check_layout(str(gone)) == [f'{gone}: folder of JHMDB-Sentences']


# ------------------------------------------------------------- RefVOS-Mini


def make(folder, **kwargs):
    make_mini(
        folder,
        train=1,
        val=0,
        test=2,
        frames=4,
        size=(64, 65),
        layouts=['a2d', 'jhmdb'],
        progress=False,
        **kwargs,
    )
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.fixture(scope='module')
def mini_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp('jhmdb')
    return folder, make(folder, workers=0)


def test_mini_in_this_layout(mini_set):
    """Each object of a test scene is a video of its own."""
    root, _ = mini_set
    assert check_layout(str(root)) == []
    data = dataset(root)
    videos = {f'test_{i:05d}': make_video(0, 'test', i, 4, (64, 65))
              for i in range(2)}  # fmt: skip
    objects = {
        f'{name}_{item.id}': (video, item.id)
        for name, video in videos.items()
        for item in video.scene.objects
    }
    assert len(data) == len(objects)
    for item in data:
        sample = item['data_samples']
        video, id = objects.pop(sample.video_id)
        time = int(sample.frame_ids[0]) - 1
        ((rle,),) = sample.gt_tubes.values()
        drawn = video.rendering.ids[time] == int(id)
        assert np.array_equal(rle_codec.decode(rle) > 0, drawn)
        # PNG is lossless.
        shown = item['inputs'][2].permute(1, 2, 0).numpy()
        assert np.array_equal(shown, video.rendering.frames[time])
        (reference,) = sample.references
        assert reference.text in {
            e.text for e in video.expressions if e.object_id == id
        }
    assert not objects


def test_the_same_bytes_from_the_same_arguments(mini_set, tmp_path):
    """For MP4, h5 and mat files, too, and any number of processes."""
    _, files = mini_set
    assert {name.rpartition('.')[2] for name in files} == {
        'h5', 'jpg', 'json', 'mat', 'mp4', 'png',
    }  # fmt: skip
    again = make(tmp_path / 'again', workers=2)
    assert sorted(again) == sorted(files)
    assert [name for name in files if again[name] != files[name]] == []


def test_an_earlier_set_is_replaced(mini_set, tmp_path):
    folder = tmp_path / 'set'
    make(folder, workers=0)
    make_mini(
        folder,
        train=0,
        val=0,
        test=1,
        frames=2,
        size=(64, 64),
        layouts=['jhmdb'],
        workers=0,
        progress=False,
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        'Rename_Images',
        'contact_sheet.jpg',
        LIST,
        'mini.json',
        'puppet_mask',
    ]
