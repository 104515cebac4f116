"""What the sheet shows is what the model gets."""

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from refvos.errors import InputError
from tests.builders import load_script
from tests.test_datasets.folders import square, write_frames, write_lists

SIZE = (40, 56)


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/analysis_tools/browse_dataset.py')


@pytest.fixture
def root(tmp_path):
    """One video, a square of 8 that moves right by 4, on the left."""
    frames = [square(SIZE, 10, 4 + 4 * step) for step in range(2)]
    names = write_frames(tmp_path, 'train', 'cat', frames)
    texts = {'0': ('the left square', '1'), '1': ('the square left', '1')}
    write_lists(tmp_path, 'train', {'cat': (names, texts)}, {'1': 'cat'})
    return tmp_path


def make_config(root, flip, test_mode=False):
    """Two frames, flipped or not, in batches of two."""
    load = [dict(type='LoadFrames'), dict(type='LoadTubes', as_rle=test_mode)]
    sample = [] if test_mode else [dict(type='SampleClip', num_frames=2)]
    image_transform = (
        dict(type='Resize', scale=(112, 80), keep_ratio=True)
        if test_mode
        else dict(type='RandomFlip', prob=flip)
    )
    change = [
        dict(type='TransformFrames', transforms=[image_transform]),
        dict(type='SwapSidesInText'),
    ]
    return Config(
        dict(
            default_scope='mmdet',
            model=dict(
                data_preprocessor=dict(
                    type='RefDataPreprocessor',
                    mean=[123.675, 116.28, 103.53],
                    std=[58.395, 57.12, 57.375],
                    pad_size_divisor=32,
                )
            ),
            train_dataloader=dict(
                batch_size=2,
                dataset=dict(
                    type='RefYouTubeVOSDataset',
                    data_root=str(root),
                    split='train',
                    test_mode=test_mode,
                    pipeline=[
                        *sample,
                        *load,
                        *change,
                        dict(type='PackRefInputs'),
                    ],
                ),
            ),
        )
    )


def load(tool, config, num=2):
    return tool.load_items(config, 'train', num, 0, 'config')


@pytest.mark.parametrize('flip', [0.0, 1.0])
def test_frames_masks_boxes_and_words(tool, root, flip):
    clips = [
        tool.make_clip(item, None)
        for item in load(tool, make_config(root, flip))
    ]
    side = 'right' if flip else 'left'
    assert {clip.caption.split('   ')[0] for clip in clips} == {
        f'the {side} square',
        f'the square {side}',
    }
    for clip in clips:
        assert clip.frames.shape == (2, *SIZE, 3)
        assert set(clip.masks) == set(clip.boxes) == {0, 1}
        assert 'cat; frames 0000' in clip.caption and '40x56' in clip.caption
        for index, frame in enumerate(clip.frames):
            # The square is white, all else is darker.
            white = frame.min(-1) > 180
            y, x = np.nonzero(clip.masks[index])
            assert (clip.masks[index] & white).sum() >= 60
            assert (x.min() < 28) == (not flip)
            box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert clip.boxes[index].tolist() == box


def test_padding_as_in_a_batch(tool, root):
    """40x56 becomes 64x64; the frame's own pixels come back exactly."""
    config = make_config(root, 0.0)
    items = load(tool, config)
    padded = tool.pad_items(items, config, 'train')
    for item, frames in zip(items, padded, strict=True):
        clip = tool.make_clip(item, frames)
        assert clip.frames.shape == (2, 64, 64, 3)
        assert '40x56 in 64x64' in clip.caption
        own = item['inputs'].permute(0, 2, 3, 1).numpy()
        assert (clip.frames[:, :40, :56] == own).all()
        assert not clip.frames[:, 40:].any()
        assert not clip.frames[:, :, 56:].any()
        assert clip.masks[0].sum() == 64
        assert clip.masks[0][10:18].sum() == 64


def test_truth_of_test_videos_at_the_inputs_size(tool, root):
    config = make_config(root, 0.0, test_mode=True)
    (item,) = load(tool, config, num=5)
    clip = tool.make_clip(item, None)
    assert clip.frames.shape == (2, 80, 112, 3)
    # 8 pixels of a frame are 16 of the input; the second lies 4 (8) on.
    for index, left in ((0, 8), (1, 16)):
        expected = np.zeros((80, 112), bool)
        expected[20:36, left : left + 16] = True
        assert (clip.masks[index] == expected).all()
    assert not clip.boxes


def test_truth_of_one_frame_only(tool, root):
    """Some data sets answer one frame of the window."""
    (item, _) = load(tool, make_config(root, 0.0))
    sample = item['data_samples']
    expected = np.asarray(
        sample.video_data_samples[1].gt_instances.masks.masks[0]
    )
    sample.video_data_samples = sample.video_data_samples[1:]
    sample.set_metainfo({'target_frames': [1]})
    clip = tool.make_clip(item, None)
    assert set(clip.masks) == set(clip.boxes) == {1}
    assert (clip.masks[1] == expected.astype(bool)).all()


def test_the_sheet(tool, root, tmp_path):
    """The file is what main gives; the same seed gives the same sheet."""
    config = make_config(root, 0.5)
    path = tmp_path / 'config.py'
    config.dump(path)
    options = ['--height', '80', '--num', '2', '--seed', '3']
    first, again = (
        tool.main([str(path), '--out', str(tmp_path / name), *options])
        for name in ('a.png', 'b.png')
    )
    assert (first == again).all()
    assert (np.asarray(Image.open(tmp_path / 'a.png')) == first).all()
    # Two rows, each of frames of 80 and a caption of at least 16.
    assert first.shape[0] >= 2 * (80 + 16)
    # White beside two frames of 112 and their gap; the frames are dark.
    assert (first[:80, 2 * 112 + 4 :] == 255).all()
    assert first[:60, 60:100].mean() < 150


def test_no_such_split(tool, root, tmp_path):
    path = tmp_path / 'config.py'
    make_config(root, 0.0).dump(path)
    argv = [str(path), '--out', str(tmp_path / 'x.jpg'), '--split', 'test']
    with pytest.raises(InputError, match='test_dataloader is None'):
        tool.main(argv)
    with pytest.raises(SystemExit):
        tool.main([str(path), '--out', str(tmp_path / 'x.txt')])
