"""Transforms, from a video's paths to a packed clip."""

import copy

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.dataset import Compose
from PIL import Image
from pycocotools import mask as rle_codec

from refvos.datasets.transforms import (
    LoadFrames,
    PackRefInputs,
    SampleClip,
    SampleConsecutive,
    SampleWindow,
    swap_sides,
)
from refvos.errors import InputError
from refvos.io import masks
from refvos.structures import RefDataSample, Reference
from tests.builders import load_config

from .folders import paint, square, write_frames


def choose_many(num_frames, length, anchor, times=200):
    sampler = SampleClip(num_frames)
    return [sampler.choose(length, anchor) for _ in range(times)]


def test_clip_holds_the_anchor_and_a_near_frame_on_each_side():
    before, after, far = set(), set(), set()
    for clip in choose_many(5, 30, 12):
        assert clip == sorted(set(clip)) and len(clip) == 5
        place = clip.index(12)
        # The others are outside the span: these two are the neighbours.
        before.add(12 - clip[place - 1])
        after.add(clip[place + 1] - 12)
        far |= set(clip[: place - 1] + clip[place + 2 :])
    assert before == after == {1, 2, 3}
    # They are outside the span; all other frames occur, 0 and 29 too.
    assert far == set(range(12)) - {11} | set(range(14, 30))


@pytest.mark.parametrize('length', [1, 2, 3, 4, 7, 30])
@pytest.mark.parametrize('num_frames', [1, 3, 5])
def test_clip_has_its_length_whatever_the_video(num_frames, length):
    for anchor in range(length):
        for clip in choose_many(num_frames, length, anchor, times=20):
            assert len(clip) == num_frames
            assert clip == sorted(clip)
            assert anchor in clip
            assert clip[0] >= 0 and clip[-1] < length


def test_one_frame_is_the_anchor_and_three_are_near_it():
    assert all(clip == [9] for clip in choose_many(1, 30, 9))
    for before, anchor, after in choose_many(3, 30, 9):
        assert anchor == 9
        assert 1 <= 9 - before <= 3 and 1 <= after - 9 <= 3


def test_near_frames_beyond_the_ends_repeat_the_anchor():
    assert all(clip[:2] == [0, 0] for clip in choose_many(3, 30, 0))
    assert all(clip[1:] == [29, 29] for clip in choose_many(3, 30, 29))


@pytest.mark.parametrize('anchor', [0, 2, 4])
@pytest.mark.parametrize('num_frames', [1, 2, 3, 4, 5])
def test_distinct_clips_repeat_no_frame(num_frames, anchor):
    sampler = SampleClip(num_frames, distinct=True)
    seen = set()
    for _ in range(200):
        clip = sampler.choose(5, anchor)
        assert clip == sorted(set(clip)) and len(clip) == num_frames
        assert anchor in clip
        seen |= set(clip)
    if num_frames > 2:
        assert seen == set(range(5))
    # Videos that are too short repeat frames.
    assert len(SampleClip(4, distinct=True).choose(3, 0)) == 4


def test_the_rest_comes_from_outside_the_span(monkeypatch):
    monkeypatch.setattr(np.random, 'randint', lambda *a, **k: (1, 1))
    # Just two frames lie outside 1..3.
    assert all(c == [0, 1, 2, 3, 4] for c in choose_many(5, 5, 2, 20))


def test_a_missing_anchor_is_drawn_at_random():
    assert {c[0] for c in choose_many(1, 4, None)} == {0, 1, 2, 3}


@pytest.mark.parametrize('anchor', [0, 3, 9, None])
def test_consecutive_frames_contain_the_anchor(anchor):
    firsts = set()
    for _ in range(300):
        clip = SampleConsecutive(4).choose(10, anchor)
        assert clip == list(range(clip[0], clip[0] + 4))
        assert clip[-1] < 10
        assert anchor is None or anchor in clip
        firsts.add(clip[0])
    expected = {0: {0}, 3: {0, 1, 2, 3}, 9: {6}, None: set(range(7))}
    assert firsts == expected[anchor]


def test_short_videos_repeat_their_last_frame():
    assert SampleConsecutive(5).choose(3, 1) == [0, 1, 2, 2, 2]
    frames = [{'frame_id': 'a'}]
    clip = SampleConsecutive(3).transform({'frames': frames, 'anchor': 0})
    assert len({id(frame) for frame in [*clip['frames'], *frames]}) == 4


def test_repeated_frames_are_loaded_apart():
    frames = [{'frame_id': 'a'}, {'frame_id': 'b'}]
    clip = SampleClip(5).transform({'frames': frames, 'anchor': 0})['frames']
    assert len({id(frame) for frame in [*clip, *frames]}) == 7


@pytest.mark.parametrize(
    ('text', 'swapped'),
    [
        ('the left dog', 'the right dog'),
        ('left of the right one', 'right of the left one'),
        ('leftover bright food', 'leftover bright food'),
        ('the left-most, on the right.', 'the right-most, on the left.'),
        ('upright lefty', 'upright lefty'),
        (None, None),
    ],
)
def test_sides_swap_as_whole_words(text, swapped):
    assert swap_sides(text) == swapped
    assert swap_sides(swapped) == text


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """30 x 50 pixels: a square moves from x = 2 to x = 40, then vanishes."""
    root = tmp_path_factory.mktemp('walk')
    size = (30, 50)
    ids = [square(size, 5, left) for left in (2, 12, 22, 32, 40)]
    ids.append(np.zeros(size, np.uint8))
    return make_video(root, ids)


def make_video(root, ids, text='the square on the left'):
    names = write_frames(root, 'train', 'walk', ids)
    frames = [
        {
            'frame_id': name,
            'img_path': str(root / f'train/JPEGImages/walk/{name}.jpg'),
            'mask_path': str(root / f'train/Annotations/walk/{name}.png'),
        }
        for name in names
    ]
    return {
        'video_id': 'walk',
        'frame_ids': names,
        'frames': frames,
        'references': [Reference('0', text=text, object_ids=('1',))],
        'labels': {'1': 7},
        'anchor': 2,
        'ids': ids,
    }


def run(steps, video):
    return Compose([TRANSFORMS.build(step) for step in steps])(
        copy.deepcopy(video)
    )


LOAD = [{'type': 'LoadFrames'}, {'type': 'LoadTubes'}]


def flip(prob, **kwargs):
    transform = {'type': 'RandomFlip', 'prob': prob, **kwargs}
    return [
        {'type': 'TransformFrames', 'transforms': [transform]},
        {'type': 'SwapSidesInText'},
    ]


def test_masks_and_boxes_are_those_of_the_files(video):
    frames = run(LOAD, video)['frames']
    for frame, left in zip(frames[:5], (2, 12, 22, 32, 40), strict=True):
        assert frame['gt_masks'].masks.shape == (1, 30, 50)
        expected = square((30, 50), 5, left)
        assert (frame['gt_masks'].masks[0] == expected).all()
        assert frame['gt_bboxes'].tensor.tolist() == [[left, 5, left + 8, 13]]
        assert frame['gt_bboxes_labels'].tolist() == [7]
        # JPEG's ringing aside, RGB as painted.
        assert np.abs(frame['img'].astype(int) - paint(expected)).max() < 60
    assert frames[5]['gt_masks'].masks.shape == (0, 30, 50)
    assert frames[5]['gt_bboxes'].tensor.shape == (0, 4)


def test_frames_are_rgb(tmp_path):
    video = make_video(tmp_path, [square((16, 16), 0, 0)])
    from refvos.mini.writers.files import write_jpeg

    colour = np.full((16, 16, 3), (200, 100, 30), np.uint8)
    write_jpeg(tmp_path / 'train/JPEGImages/walk/00000.jpg', colour)
    image = run(LOAD[:1], video)['frames'][0]['img']
    assert np.abs(image.astype(int) - (200, 100, 30)).max() <= 3


def test_several_references_mean_one_object(video):
    """In training they share its masks; several objects are refused."""
    both = copy.deepcopy(video)
    both['references'].append(Reference('1', text='it', object_ids=('1',)))
    ours, theirs = run(LOAD, both), run(LOAD, video)
    assert len(ours['references']) == 2
    for frame, expected in zip(ours['frames'], theirs['frames'], strict=True):
        assert (frame['gt_masks'].masks == expected['gt_masks'].masks).all()
    both['references'].append(Reference('2', text='a', object_ids=('1', '2')))
    with pytest.raises(InputError) as error:
        run(LOAD, both)
    assert str(error.value) == (
        'video walk: objects of the references of a training sample is '
        "['1', '1 2']; expected one object, the same in all references"
    )


def test_several_objects_are_one(tmp_path):
    ids = square((20, 20), 0, 0, 4, 1) + square((20, 20), 10, 10, 5, 3)
    ids += square((20, 20), 0, 15, 3, 2)
    video = make_video(tmp_path, [ids])
    video['references'] = [Reference('0', text='both', object_ids=('1', '3'))]
    frame = run(LOAD, video)['frames'][0]
    assert (frame['gt_masks'].masks[0] == np.isin(ids, [1, 3])).all()
    assert frame['gt_bboxes'].tensor.tolist() == [[0, 0, 15, 15]]


def test_tubes_of_all_objects(tmp_path):
    first = square((20, 20), 0, 0, 4, 1) + square((20, 20), 10, 10, 5, 3)
    video = make_video(tmp_path, [first, square((20, 20), 2, 2, 4, 3)])
    video['references'] = [
        Reference('0', text='a', object_ids=('1',)),
        Reference('1', text='b', object_ids=('1', '3')),
        Reference('2', text='c', object_ids=('9',)),
    ]
    steps = [LOAD[0], {'type': 'LoadTubes', 'as_rle': True}]
    tubes = run(steps, video)['gt_tubes']
    assert set(tubes) == {'1', '3', '9'}
    assert tubes['1'][1] is None and tubes['9'] == [None, None]
    assert (rle_codec.decode(tubes['1'][0]) == (first == 1)).all()
    assert rle_codec.area(tubes['3']).tolist() == [25, 16]


def test_flip_turns_text_masks_and_boxes_alike(video):
    plain = run(LOAD, video)
    flipped = run(LOAD + flip(1.0), video)
    assert flipped['references'][0].text == 'the square on the right'
    assert flipped['references'][0].object_ids == ('1',)
    for before, after in zip(plain['frames'], flipped['frames'], strict=True):
        assert (after['img'] == before['img'][:, ::-1]).all()
        turned = before['gt_masks'].masks[:, :, ::-1]
        assert (after['gt_masks'].masks == turned).all()
        recomputed = after['gt_masks'].get_bboxes(HorizontalBoxes).tensor
        assert torch.equal(after['gt_bboxes'].tensor, recomputed)
    # The data set's references do not change.
    assert video['references'][0].text == 'the square on the left'


def test_a_vertical_flip_keeps_the_words(video):
    turned = run(LOAD + flip(1.0, direction='vertical'), video)
    assert turned['references'][0].text == 'the square on the left'


def test_all_frames_of_a_clip_are_flipped_alike(video):
    steps = Compose([TRANSFORMS.build(s) for s in LOAD + flip(0.5)])
    outcomes = []
    for _ in range(30):
        clip = steps(copy.deepcopy(video))
        flips = {frame['flip'] for frame in clip['frames']}
        assert len(flips) == 1
        (flipped,) = flips
        side = 'right' if flipped else 'left'
        assert clip['references'][0].text == f'the square on the {side}'
        outcomes.append(flipped)
    assert 5 < sum(outcomes) < 25


def crop(size):
    step = {
        'type': 'RandomCrop',
        'crop_type': 'absolute',
        'crop_size': size[::-1],
        'recompute_bbox': True,
        'allow_negative_crop': True,
    }
    pack = {'type': 'PackRefInputs'}
    return [{'type': 'TransformFrames', 'transforms': [step]}, pack]


def test_an_object_cut_away_is_invisible_there(tmp_path):
    """No crop of width 50 contains both x < 10 and x >= 90."""
    size = (20, 100)
    video = make_video(
        tmp_path, [square(size, 5, 0, 10), square(size, 5, 90, 10)]
    )
    steps = LOAD + crop((20, 50))
    seen = {(True, False): 0, (False, True): 0, None: 0}
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    for _ in range(50):
        packed = pipeline(copy.deepcopy(video))
        if packed is None:
            seen[None] += 1
            continue
        truths = [frame.gt_instances for frame in packed['data_samples']]
        seen[tuple(len(truth) == 1 for truth in truths)] += 1
        for truth in truths:
            assert len(truth.masks) == len(truth.bboxes) == len(truth.labels)
            boxes = truth.masks.get_bboxes(HorizontalBoxes).tensor
            assert torch.equal(truth.bboxes, boxes)
    # Of 51 offsets 10 show the first, 10 the second, 31 neither.
    assert all(count > 3 for count in seen.values()), seen


def static_video(tmp_path, num_frames=5):
    """Write a large video of equal frames."""
    ids = square((540, 960), 180, 400, 200)
    video = make_video(tmp_path, [ids])
    video['frames'] = video['frames'] * num_frames
    return video


def train_pipeline():
    cfg = load_config('configs/_base_/datasets/ref_youtube_vos.py')
    return [TRANSFORMS.build(step) for step in cfg.train_pipeline]


def test_published_augmentation(tmp_path):
    video = static_video(tmp_path, 8)
    pipeline = Compose(train_pipeline())
    clips = [pipeline(copy.deepcopy(video)) for _ in range(8)]
    clips = [clip for clip in clips if clip is not None]
    assert len(clips) >= 6
    ratios, sizes = set(), set()
    for clip in clips:
        inputs, sample = clip['inputs'], clip['data_samples']
        assert inputs.dtype == torch.uint8 and inputs.shape[:2] == (5, 3)
        height, width = sample.img_shape
        assert inputs.shape[2:] == (height, width)
        # The ladder: short side at most 512, long side at most 640.
        assert max(height, width) <= 640 and min(height, width) <= 512
        assert min(height, width) >= 288 or max(height, width) == 640
        assert sample.ori_shape == (540, 960)
        ratios.add(round(width / height, 2))
        sizes.add((height, width))
        # Equal frames stay equal: they share the random parameters.
        assert (inputs == inputs[:1]).all()
        for frame in sample:
            check_ground_truth(frame, inputs[0])
    assert len(sizes) >= 4
    # 16:9 if nothing was cropped.
    assert 1.78 in ratios and len(ratios) > 2


def check_ground_truth(frame, image):
    """Check that mask, box and white square coincide."""
    truth = frame.gt_instances
    assert truth.masks.masks.shape[1:] == image.shape[1:]
    box = truth.masks.get_bboxes(HorizontalBoxes).tensor
    # Boxes are scaled, masks are resized by nearest neighbour.
    assert (truth.bboxes - box).abs().max() <= 2
    mask = torch.from_numpy(truth.masks.masks[0]).bool()
    light = image.float().mean(0)
    middle = (light[mask].mean() + light[~mask].mean()) / 2
    assert ((light > middle) == mask).float().mean() > 0.97


def test_rounding_of_pixels():
    step = TRANSFORMS.build({'type': 'RoundPixels'})
    image = np.array([[-3.0, 0.4, 0.6, 254.7, 255.0, 300.0]], np.float32)
    rounded = step({'img': image})['img']
    assert rounded.dtype == np.uint8
    assert rounded.tolist() == [[0, 0, 1, 255, 255, 255]]


def test_test_pipeline_shortens_to_360(tmp_path):
    cfg = load_config('configs/_base_/datasets/ref_youtube_vos.py')
    video = static_video(tmp_path, 2)
    packed = run(cfg.test_pipeline, video)
    assert packed['inputs'].shape == (2, 3, 360, 640)
    assert packed['data_samples'].ori_shape == (540, 960)
    assert packed['data_samples'].img_shape == (360, 640)


def test_packing():
    def frame(index, visible):
        count = int(visible)
        masks = np.zeros((count, 4, 6), np.uint8)
        masks[:, 1:3, 2:5] = 1
        return {
            'img': np.full((4, 6, 3), (index, 20, 30), np.uint8),
            'img_path': f'{index}.jpg',
            'frame_id': str(index),
            'ori_shape': (8, 12),
            'gt_masks': BitmapMasks(masks, 4, 6),
            'gt_bboxes': HorizontalBoxes(torch.full((count, 4), 2.0)),
            'gt_bboxes_labels': np.full(count, 3),
        }

    reference = Reference('0', text='a', object_ids=('1',))
    results = {
        'video_id': 'v',
        'frames': [frame(0, True), frame(1, False)],
        'references': [reference],
        'gt_tubes': {'1': [None, None]},
    }
    packed = PackRefInputs()(results)
    sample = packed['data_samples']
    assert isinstance(sample, RefDataSample) and len(sample) == 2
    assert packed['inputs'].shape == (2, 3, 4, 6)
    assert packed['inputs'][1, :, 2, 3].tolist() == [1, 20, 30]
    assert sample.metainfo == {
        'video_id': 'v',
        'frame_ids': ['0', '1'],
        'img_paths': ['0.jpg', '1.jpg'],
        'ori_shape': (8, 12),
        'img_shape': (4, 6),
        'num_frames': 2,
    }
    assert sample.references == [reference]
    assert sample.gt_tubes == {'1': [None, None]}
    assert sample[0].gt_instances.labels.tolist() == [3]
    assert sample[0].gt_instances.bboxes.tolist() == [[2, 2, 2, 2]]
    assert sample[0].gt_instances.masks.masks.sum() == 6
    assert [len(frame.gt_instances) for frame in sample] == [1, 0]


def test_a_clip_without_the_object_gives_none(tmp_path):
    empty = np.zeros((16, 16), np.uint8)
    assert run(LOAD, make_video(tmp_path, [empty, empty])) is None


def test_a_frame_without_a_source_of_masks_is_named(video):
    bare = copy.deepcopy(video)
    for frame in bare['frames']:
        del frame['mask_path']
    with pytest.raises(InputError) as error:
        run(LOAD, bare)
    assert str(error.value) == (
        f'{bare["frames"][0]["img_path"]}: masks is None; expected their '
        f'source, one of {sorted(masks.MASK_SOURCES)}'
    )


@pytest.mark.parametrize('as_rle', [False, True])
def test_masks_are_read_once_a_frame(video, monkeypatch, as_rle):
    """For any number of objects, zero included."""
    read = []
    real = masks.read_bytes

    def read_and_note(path, *args):
        read.append(path)
        return real(path, *args)

    monkeypatch.setattr(masks, 'read_bytes', read_and_note)
    steps = [LOAD[0], {'type': 'LoadTubes', 'as_rle': as_rle}]
    two = copy.deepcopy(video)
    two['references'] = [Reference('0', text='both', object_ids=('1', '2'))]
    loaded = run(steps, two)
    assert read == [frame['mask_path'] for frame in two['frames']]
    if as_rle:
        assert list(loaded['gt_tubes']) == ['1', '2']
        assert loaded['gt_tubes']['2'] == [None] * 6
    else:
        areas = [int(f['gt_masks'].masks.sum()) for f in loaded['frames']]
        assert areas == [64, 64, 64, 64, 64, 0]
    two['references'] = [Reference('0', text='nothing')]
    loaded = run(steps, two)
    assert loaded is None if not as_rle else loaded['gt_tubes'] == {}


@pytest.mark.parametrize(
    ('num_frames', 'length', 'annotated', 'chosen'),
    [
        (1, 9, 4, [4]),
        (3, 9, 4, [3, 4, 5]),
        (4, 9, 4, [2, 3, 4, 5]),
        (5, 9, 1, [0, 0, 1, 2, 3]),
        (6, 9, 8, [5, 6, 7, 8, 8, 8]),
        (5, 1, 0, [0, 0, 0, 0, 0]),
    ],
)
def test_windows(num_frames, length, annotated, chosen):
    """T // 2 frames precede the annotated one; the ends are repeated."""
    sampler = SampleWindow(num_frames)
    assert sampler.choose(length, annotated) == chosen
    frames = [{'frame_id': i} for i in range(length)]
    clip = sampler({'frames': frames, 'annotated_frame': annotated})
    assert [frame['frame_id'] for frame in clip['frames']] == chosen
    assert clip['target_frames'] == [num_frames // 2]
    assert chosen[num_frames // 2] == annotated
    # Repeated frames are loaded apart.
    assert len({id(f) for f in [*frames, *clip['frames']]}) == (
        length + num_frames
    )


@pytest.mark.parametrize('as_rle', [False, True])
def test_only_target_frames_have_ground_truth(video, as_rle):
    """The second and the last of four frames; the last is empty."""
    asked = copy.deepcopy(video)
    asked['frames'] = [asked['frames'][i] for i in (0, 1, 2, 5)]
    asked['target_frames'] = [1, 3]
    for index in (0, 2):
        del asked['frames'][index]['mask_path']
    steps = [LOAD[0], {'type': 'LoadTubes', 'as_rle': as_rle}]
    packed = run([*steps, {'type': 'PackRefInputs'}], asked)
    sample = packed['data_samples']
    assert packed['inputs'].shape == (4, 3, 30, 50)
    assert (sample.num_frames, len(sample)) == (4, 2)
    assert sample.target_frames == [1, 3]
    assert sample.frame_ids == ['00005', '00025']
    assert sample.img_paths == [video['frames'][i]['img_path'] for i in (1, 5)]
    if as_rle:
        first, last = sample.gt_tubes['1']
        assert (rle_codec.area(first), last) == (64, None)
    else:
        assert [len(frame.gt_instances) for frame in sample] == [1, 0]
        assert sample[0].gt_instances.bboxes.tolist() == [[12, 5, 20, 13]]
    asked['target_frames'] = [3]
    assert as_rle or run([*steps, {'type': 'PackRefInputs'}], asked) is None


# ---------------------------------------------------- images in the decoder


def write_photo(path, size=(128, 160), orientation=None, kind='JPEG'):
    """Write a smooth image, which resizing changes little."""
    y, x = np.mgrid[: size[0], : size[1]]
    picture = np.stack((x, y, x + y), -1) * 255 // sum(size)
    options = {'quality': 95} if kind == 'JPEG' else {}
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options['exif'] = exif
    Image.fromarray(picture.astype(np.uint8)).save(path, kind, **options)
    return {'frames': [{'img_path': str(path)}]}


@pytest.mark.parametrize(
    ('min_side', 'expected'),
    [
        (None, (128, 160)),
        (129, (128, 160)),
        (65, (128, 160)),
        (64, (64, 80)),
        (40, (64, 80)),
        (32, (32, 40)),
        (1, (16, 20)),
    ],
)
def test_jpegs_are_decoded_at_a_fraction_of_their_size(
    tmp_path, min_side, expected
):
    results = write_photo(tmp_path / 'a.jpg')
    whole = LoadFrames()(copy.deepcopy(results))['frames'][0]
    frame = LoadFrames(min_side=min_side)(results)['frames'][0]
    assert frame['img'].shape == (*expected, 3)
    assert frame['img_shape'] == expected
    assert frame['ori_shape'] == (128, 160)
    step = 128 // expected[0]
    averaged = whole['img'].reshape(*expected[:1], step, expected[1], step, 3)
    difference = frame['img'] - averaged.astype(float).mean((1, 3))
    assert np.abs(difference).max() < 4


def test_smaller_jpegs_are_turned_upright(tmp_path):
    results = write_photo(tmp_path / 'a.jpg', orientation=6)
    frame = LoadFrames(min_side=64)(results)['frames'][0]
    assert frame['img'].shape == (80, 64, 3)
    assert frame['ori_shape'] == (160, 128)


def test_other_images_keep_their_size(tmp_path):
    results = write_photo(tmp_path / 'a.png', kind='PNG')
    frame = LoadFrames(min_side=16)(results)['frames'][0]
    assert frame['img_shape'] == frame['ori_shape'] == (128, 160)


def test_a_truncated_jpeg_is_named_at_any_size(tmp_path):
    path = tmp_path / 'a.jpg'
    results = write_photo(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r'a\.jpg: content .*a whole image'):
        LoadFrames(min_side=16)(results)
