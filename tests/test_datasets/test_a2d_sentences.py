"""A2D-Sentences: layout, items, masks and bad input."""

import json

import h5py
import numpy as np
import pytest
import torch
from pycocotools import mask as rle_codec

from refvos.datasets import A2DSentencesDataset
from refvos.datasets.a2d_sentences import check_layout
from refvos.mini import make_video
from refvos.mini.writers.a2d import annotated_times, write_mp4
from tests.builders import load_config, message_of

from .folders import WINDOW_STEPS, paint, square

SIZE = (32, 48)
NUM_FRAMES = 7
VIDEOS = 'Release/clips320H'
MASKS = 'text_annotations/a2d_annotation_with_instances'
TRAIN_STEPS = [*WINDOW_STEPS[:2], {'type': 'LoadTubes'}, WINDOW_STEPS[3]]
ROWS = [
    ['The dog  LEFT', 'zoo', 4, 3],
    ['a cat', 'zoo', 4, 1],
    ['a cat', 'zoo', 7, 1],
    ['the same cat', 'zoo', 4, 1],
]


def list_file(root, split='train'):
    return root / f'a2d_sentences_single_frame_{split}_annotations.json'


def h5_file(root, frame, video='zoo'):
    return root / MASKS / video / f'{frame:05d}.h5'


def write_h5(path, instance, masks):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w') as file:
        file['instance'] = instance
        file['reMask'] = masks


def object_ids(index):
    """Object ids of a frame: a cat (1) that moves, a dog (3)."""
    return square(SIZE, 4, 4 * index, 8, 1) + square(SIZE, 20, 30, 6, 3)


@pytest.fixture
def root(tmp_path):
    """One video of seven frames; frames 4 and 7 (from 1) are annotated."""
    (tmp_path / VIDEOS).mkdir(parents=True)
    frames = np.stack([paint(object_ids(i)) for i in range(NUM_FRAMES)])
    write_mp4(tmp_path / VIDEOS / 'zoo.mp4', frames)
    ids = object_ids(3)
    # Two instances, transposed; the dog comes first.
    both = np.stack([(ids == 3).T, (ids == 1).T]).astype(np.uint8)
    write_h5(h5_file(tmp_path, 4), np.array([3.0, 1.0]), both)
    # A single instance has no object axis.
    one = (object_ids(6) == 1).T.astype(np.uint8)
    write_h5(h5_file(tmp_path, 7), np.array([1]), one)
    for split in ('train', 'test'):
        list_file(tmp_path, split).write_text(json.dumps(ROWS))
    return tmp_path


def dataset(root, split='train', pipeline=(), **kwargs):
    return A2DSentencesDataset(
        str(root), split, pipeline=list(pipeline), **kwargs
    )


def test_training_items_are_rows(root):
    data = dataset(root)
    assert len(data) == 4
    references = [data.get_data_info(i)['references'] for i in range(4)]
    # Rows of one frame are grouped.
    assert [(r.id, r.text, r.object_ids) for (r,) in references] == [
        ('v_zoo_f_4_i_3', 'the dog left', ('3',)),
        ('v_zoo_f_4_i_1', 'a cat', ('1',)),
        ('v_zoo_f_4_i_1', 'the same cat', ('1',)),
        ('v_zoo_f_7_i_1', 'a cat', ('1',)),
    ]
    assert data.get_data_info(0)['video_id'] == 'zoo'


def test_test_items_are_annotated_frames_with_all_their_rows(root):
    data = dataset(root, 'test', WINDOW_STEPS, test_mode=True)
    assert len(data) == 2
    first, last = (data[i] for i in range(2))
    sample = first['data_samples']
    assert first['inputs'].shape == (5, 3, *SIZE)
    assert [r.id for r in sample.references] == [
        'v_zoo_f_4_i_3',
        'v_zoo_f_4_i_1',
        'v_zoo_f_4_i_1',
    ]
    assert (sample.target_frames, sample.frame_ids) == ([2], ['00004'])
    assert sample.video_frames == [(f'{root}/{VIDEOS}/zoo.mp4', 3)]
    assert len(sample) == 1 and sample.num_frames == 5
    drawn = {
        id: rle_codec.decode(rle) for id, (rle,) in sample.gt_tubes.items()
    }
    assert sorted(drawn) == ['1', '3']
    for id, mask in drawn.items():
        assert np.array_equal(mask > 0, object_ids(3) == int(id))
    ((rle,),) = last['data_samples'].gt_tubes.values()
    # The cat is at column 24.
    assert np.array_equal(rle_codec.decode(rle) > 0, object_ids(6) == 1)


@pytest.mark.parametrize(
    ('num_frames', 'middle', 'end'),
    [
        (1, [3], [6]),
        (5, [1, 2, 3, 4, 5], [4, 5, 6, 6, 6]),
        (6, [0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 6, 6]),
        (9, [0, 0, 1, 2, 3, 4, 5, 6, 6], [2, 3, 4, 5, 6, 6, 6, 6, 6]),
    ],
)
def test_windows_lie_around_the_annotated_frame(root, num_frames, middle, end):
    """Repeated at the ends; the annotated frame is number T // 2."""
    window = {'type': 'SampleWindow', 'num_frames': num_frames}
    data = dataset(root, 'test', [window, *WINDOW_STEPS[1:]], test_mode=True)
    for item, expected in zip((data[0], data[1]), (middle, end), strict=True):
        # The white cat's left edge tells the frames apart.
        light = item['inputs'][:, :, 8].float().mean(1) > 180  # (T, W)
        starts = light.int().argmax(1).tolist()
        assert starts == [4 * index for index in expected]
        assert item['data_samples'].target_frames == [num_frames // 2]


def test_a_training_clip_has_gt_in_its_annotated_frame(root):
    packed = dataset(root, pipeline=TRAIN_STEPS)[1]
    assert packed['inputs'].shape == (5, 3, *SIZE)
    (frame,) = packed['data_samples']
    truth = frame.gt_instances
    assert truth.bboxes.tolist() == [[12, 4, 20, 12]]
    assert truth.masks.masks[0].sum() == 64
    # A2D's lists name no category.
    assert truth.labels.tolist() == [-1]


def test_published_augmentation(root):
    """All frames of a window are flipped, cropped and resized alike."""
    cfg = load_config('configs/_base_/datasets/a2d_sentences_window6.py')
    data = dataset(root, pipeline=cfg.train_pipeline)
    sizes = set()
    for index in [0, 1, 2, 3] * 2:
        packed = data[index]
        inputs, sample = packed['inputs'], packed['data_samples']
        assert inputs.shape[:2] == (6, 3) and inputs.dtype == torch.uint8
        assert sample.target_frames == [3]
        (frame,) = sample
        mask = torch.from_numpy(frame.gt_instances.masks.masks[0]).bool()
        assert mask.shape == inputs.shape[2:] == sample.img_shape
        light = inputs[3].float().mean(0)
        assert light[mask].mean() > light[~mask].mean() + 40
        sizes.add(sample.img_shape)
    assert len(sizes) > 3


def test_wrong_references_keep_the_ground_truth(root):
    data = dataset(root, test_mode=True, wrong_references=True)
    # Frame 7 only shows the cat.
    assert len(data) == 1
    references = data.get_data_info(0)['references']
    assert [(r.id, r.text, r.object_ids) for r in references] == [
        ('v_zoo_f_4_i_3', 'a cat', ('3',)),
        ('v_zoo_f_4_i_1', 'the dog left', ('1',)),
        ('v_zoo_f_4_i_1', 'the dog left', ('1',)),
    ]


def test_without_masks_no_mask_file_is_read(root):
    for frame in (4, 7):
        h5_file(root, frame).unlink()
    steps = [step for step in WINDOW_STEPS if step['type'] != 'LoadTubes']
    data = dataset(root, 'test', steps, test_mode=True, with_masks=False)
    assert 'gt_tubes' not in data[0]['data_samples']


def test_skipped_rows_are_reported_once(root, logged):
    rows = [
        ['  ', 'zoo', 4, 1],
        [None, 'zoo', 4, 1],
        ['a cat', 'zoo', 0, 1],
        ['a cat', 'zoo', 4],
        ['a cat', '', 4, 1],
        'a cat',
        ['a cat', 'zoo', 4, 'cat'],
        ['一只猫', 'zoo', '4', '1'],
    ]
    list_file(root).write_text(json.dumps(rows))
    data = dataset(root)
    assert len(data) == 1
    (reference,) = data.get_data_info(0)['references']
    assert (reference.id, reference.text) == ('v_zoo_f_4_i_1', '一只猫')
    (message,) = logged
    head, *lines = message.splitlines()
    assert head.endswith(f'left out 7 of what {root} holds:')
    place = f'  {list_file(root)}: row'
    expected = 'expected expression, video, frame from 1, instance'
    assert lines == [
        f"{place} 0 is '  '; expected an expression",
        f'{place} 1 is None; expected an expression',
        f"{place} 2 is ['a cat', 'zoo', 0, 1]; {expected}",
        f"{place} 3 is ['a cat', 'zoo', 4]; {expected}",
        f"{place} 4 is ['a cat', '', 4, 1]; {expected}",
        f"{place} 5 is 'a cat'; {expected}",
        f"{place} 6 is ['a cat', 'zoo', 4, 'cat']; {expected}",
    ]


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, "file is 'missing'"),
        ('[[', "file is 'Expecting value"),
        ('{}', 'content is {}; expected a list of rows'),
    ],
)
def test_malformed_lists(root, content, words):
    if content is None:
        list_file(root).unlink()
    else:
        list_file(root).write_text(content)
    message = message_of(dataset, root)
    assert message.startswith(f'{list_file(root)}: {words}')


def test_unknown_split(root):
    assert "split is 'val'; expected one of ('train'" in (
        message_of(dataset, root, 'val')
    )


def item_of(root, index=0):
    return dataset(root, 'test', WINDOW_STEPS, test_mode=True)[index]


def test_a_missing_h5_is_named_with_its_rows(root):
    h5_file(root, 4).unlink()
    rows = list_file(root, 'test')
    assert message_of(item_of, root) == (
        f"{h5_file(root, 4)}: file is 'missing'; expected masks "
        f'({rows}, row 0, {rows}, row 3)'
    )


def test_an_instance_that_the_h5_lacks_is_named_with_its_row(root):
    write_h5(h5_file(root, 7), np.array([2]), np.zeros(SIZE[::-1]))
    assert message_of(item_of, root, 1) == (
        f'{h5_file(root, 7)}: instance is [2]; expected 1 among them '
        f'({list_file(root, "test")}, row 2)'
    )


@pytest.mark.parametrize('kind', ['external', 'virtual', 'link', 'text'])
def test_masks_are_in_the_file_itself(root, kind):
    """HDF5 can name any file of the machine as the place of the numbers."""
    path = h5_file(root, 4)
    other = path.with_name('other')
    with h5py.File(other, 'w') as file:
        file['reMask'] = np.ones((2, *SIZE[::-1]), np.uint8)
    path.unlink()
    with h5py.File(path, 'w') as file:
        file['instance'] = [1, 3]
        shape = (2, *SIZE[::-1])
        if kind == 'external':
            where = [(str(other), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset('reMask', shape, 'u1', external=where)
        elif kind == 'virtual':
            layout = h5py.VirtualLayout(shape, 'u1')
            layout[:] = h5py.VirtualSource(str(other), 'reMask', shape)
            file.create_virtual_dataset('reMask', layout)
        elif kind == 'link':
            file['reMask'] = h5py.ExternalLink(str(other), 'reMask')
        else:
            file['reMask'] = np.full(shape, b'a')
    message = message_of(item_of, root)
    assert message.startswith(f'{path}: reMask is ')
    assert message.endswith(
        '; expected an array of numbers that is in this file'
    )


def test_a_claimed_size_is_refused_unread(root):
    path = h5_file(root, 4)
    path.unlink()
    with h5py.File(path, 'w') as file:
        file['instance'] = [1, 3]
        file.create_dataset('reMask', (2, 2**20, 2**20), 'u1', chunks=True)
    assert 'size (height, width) is (1048576, 1048576)' in (
        message_of(item_of, root)
    )


def test_broken_masks(root):
    path = h5_file(root, 4)
    content = path.read_bytes()
    for share in (0, 0.5):
        path.write_bytes(content[: int(len(content) * share)])
        message = message_of(item_of, root)
        assert message.startswith(f'{path}: content is ')
        assert message.endswith('; expected HDF5 with instance and reMask')
    path.unlink()
    with h5py.File(path, 'w') as file:
        file['instance'] = [1]
    assert 'expected HDF5 with instance and reMask' in (
        message_of(item_of, root)
    )
    path.unlink()
    write_h5(path, [1, 3, 4], np.zeros((2, *SIZE[::-1])))
    assert message_of(item_of, root) == (
        f'{path}: shape of reMask is (2, 48, 32); expected (3, width, '
        'height), a mask for each instance'
    )
    path.unlink()
    write_h5(path, [1, 3], np.zeros((2, *SIZE)))
    assert message_of(item_of, root) == (
        f'{path}: size (height, width) is (48, 32); expected (32, 48), as '
        f'{root}/{VIDEOS}/zoo.mp4, frame 3'
    )


def test_a_frame_past_the_end_of_its_video(root):
    rows = [['a cat', 'zoo', 8, 1]]
    list_file(root, 'test').write_text(json.dumps(rows))
    assert message_of(item_of, root) == (
        f'{root}/{VIDEOS}/zoo.mp4: number of frames is 7; expected at least '
        f'8: frame 00008 is annotated ({list_file(root, "test")})'
    )


def test_a_missing_video(root):
    path = root / VIDEOS / 'zoo.mp4'
    path.unlink()
    assert message_of(item_of, root) == (
        f"{path}: file is 'missing'; expected a video"
    )


def test_check_layout(root, tmp_path):
    assert check_layout(str(root)) == []
    h5_file(root, 7).unlink()
    (root / VIDEOS / 'zoo.mp4').unlink()
    list_file(root, 'test').unlink()
    assert check_layout(str(root)) == [
        f'{root}/{VIDEOS}/zoo.mp4: video',
        f'{h5_file(root, 7)}: masks of a frame',
        f'{list_file(root, "test")}: file of the published data set',
    ]
    list_file(root, 'test').write_text('{')
    assert 'expected well-formed JSON' in check_layout(str(root))[-1]
    gone = tmp_path / 'gone'
    assert check_layout(str(gone)) == [f'{gone}: folder of A2D-Sentences']


# ------------------------------------------------------------- RefVOS-Mini


def test_mini_in_this_layout(shared_mini):
    """Every annotated frame loads, with the masks of the scene."""
    root = shared_mini(
        train=2, val=1, test=1, frames=6, size=(64, 65), layouts=['a2d']
    )
    assert check_layout(str(root)) == []
    data = dataset(root, 'test', WINDOW_STEPS, test_mode=True)
    # The middles of three thirds of six frames, from 0.
    assert annotated_times(6) == [1, 3, 5]
    video = make_video(0, 'test', 0, 6, (64, 65))
    assert 1 <= len(data) <= 3
    for item in data:
        sample = item['data_samples']
        time = int(sample.frame_ids[0]) - 1
        assert time in (1, 3, 5)
        # An odd column is doubled, in frames and in masks.
        assert sample.ori_shape == (64, 66)
        for id, (rle,) in sample.gt_tubes.items():
            mask = rle_codec.decode(rle) > 0
            drawn = video.rendering.ids[time] == int(id)
            assert np.array_equal(mask[:, :65], drawn)
            assert np.array_equal(mask[:, 65], drawn[:, 64])
        texts = {r.text: r.object_ids for r in sample.references}
        for expression in video.expressions:
            if expression.object_id in sample.gt_tubes:
                assert texts[expression.text] == (expression.object_id,)
        # The video is compressed with loss.
        shown = item['inputs'][2, :, :, :65].permute(1, 2, 0).numpy()
        error = np.abs(shown - video.rendering.frames[time].astype(float))
        assert error.mean() < 10
    assert len(dataset(root, 'train')) > 0
    assert len(dataset(root, 'valid')) > 0
