import logging
from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.registry import VISUALIZERS
from mmengine.model import BaseModel
from mmengine.runner import Runner
from PIL import Image
from pycocotools import mask as mask_utils

from refvos.errors import InputError
from refvos.evaluation import JFMetric
from refvos.structures import RefDataSample, Reference, ReferencePrediction
from refvos.visualization import RefVOSVisualizationHook, label_band
from refvos.visualization.overlay import PALETTE
from refvos.visualization.video_writer import write_video
from refvos.visualization.visualization_hook import read_frames

from .test_video_writer import read_video

HEIGHT, WIDTH, NUM_FRAMES = 96, 128, 8


def disk(x, y=48, radius=16):
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def rle(mask):
    return mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))


def make_video(folder, video_id='v/1', num_references=2):
    """A disk moves to the right; predictions lag behind by 4 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{i:05d}.png' for i in range(NUM_FRAMES)]
    for i, path in enumerate(paths):
        frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        frame[disk(24 + 10 * i)] = (40, 160, 60)
        Image.fromarray(frame).save(path)
    sample = RefDataSample(
        metainfo={
            'video_id': video_id,
            'frame_ids': [path.stem for path in paths],
            'img_paths': [str(path) for path in paths],
            'ori_shape': (HEIGHT, WIDTH),
        }
    )
    sample.gt_tubes = {
        '1': [rle(disk(24 + 10 * i)) for i in range(NUM_FRAMES - 1)] + [None]
    }
    sample.references = [
        Reference(str(i), f'the green disk number {i}', object_ids=('1',))
        for i in range(num_references)
    ]
    sample.predictions = [
        ReferencePrediction(
            reference,
            [rle(disk(20 + 10 * i)) for i in range(NUM_FRAMES)],
            0.9,
        )
        for reference in sample.references
    ]
    return sample


class Answered(BaseModel):
    """A model that returns the predictions of its samples."""

    def forward(self, samples, mode):
        return samples

    def test_step(self, data):
        return data


def run_test(work_dir, samples, hook):
    runner = Runner(
        model=Answered(),
        work_dir=str(work_dir),
        test_dataloader={
            'batch_size': 2,
            'dataset': samples,
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'collate_fn': {'type': 'pseudo_collate'},
        },
        test_evaluator=[JFMetric()],
        test_cfg={},
        custom_hooks=[hook],
        default_scope='mmdet',
        experiment_name=work_dir.name,
    )
    runner.test()
    return work_dir / runner.timestamp


def test_hook_draws_the_first_videos_of_a_test(tmp_path):
    samples = [
        make_video(tmp_path / str(i), f'v/{i}', num_references=1 + i)
        for i in range(3)
    ]
    hook = {'type': 'RefVOSVisualizationHook', 'max_videos': 2}
    folder = run_test(tmp_path / 'run', samples, hook) / 'overlays' / 'test'
    names = sorted(path.name for path in folder.iterdir())
    assert names == ['v_0.mp4', 'v_0.png', 'v_1.mp4', 'v_1.png']
    # 96x128 enlarged to 256x341, six of eight frames, gaps of 4 pixels.
    one, two = (Image.open(folder / f'v_{i}.png') for i in range(2))
    assert one.width == two.width == 6 * 341 + 5 * 4
    assert one.height > 256 and two.height == 2 * one.height
    frames, rate = read_video(folder / 'v_1.mp4')
    assert (len(frames), rate) == (NUM_FRAMES, 6)
    # Green in the frame, reddish under the mask.
    x = round((24 + 10 * 3 + 14) * 341 / 128)
    assert frames[3][128, x].argmax() == 1
    assert frames[3][10, 10] == pytest.approx([45, 45, 45], abs=8)


def test_strip_marks_prediction_and_ground_truth(tmp_path):
    visualizer = VISUALIZERS.build(
        {
            'type': 'RefVOSVisualizer',
            'name': 'strip',
            'min_side': 0,
            'strip_frames': 2,
        }
    )
    sample = make_video(tmp_path)
    frames = read_frames(sample)
    strip = visualizer.draw_strip(frames, sample, draw_gt=True)
    bare = visualizer.draw_strip(frames, sample, draw_gt=False)
    white = (strip > 200).all(-1) & ~(bare > 200).all(-1)
    # The disk of the first frame reaches from column 8 to 40; in the last
    # frame the object is not visible.
    columns = np.flatnonzero(white[:HEIGHT].any(0))
    assert (columns[0], columns[-1]) == pytest.approx((8, 40), abs=1)
    # The first colour is (255, 64, 64): 40 + 0.35 * 215 = 115 red. Pixels
    # that are not covered, (90, 90, 90), are half as bright.
    assert strip[48, 20].tolist() == [115, 126, 61]
    assert strip[5, 5].tolist() == [45, 45, 45]


def test_hook_counts_per_epoch_and_draws_none_for_zero(tmp_path):
    runner = SimpleNamespace(
        log_dir=str(tmp_path / 'log'), iter=7, logger=logging.getLogger()
    )
    sample = make_video(tmp_path / 'v', 'first')
    second = make_video(tmp_path / 'v', 'second')
    none = RefVOSVisualizationHook(max_videos=0)
    none.before_val_epoch(runner)
    none.after_val_iter(runner, 0, None, [sample])
    assert not (tmp_path / 'log').exists()
    hook = RefVOSVisualizationHook(max_videos=1)
    for runner.iter in (7, 9):
        hook.before_val_epoch(runner)
        hook.after_val_iter(runner, 0, None, [sample])
        hook.after_val_iter(runner, 1, None, [second])
    folder = tmp_path / 'log' / 'overlays'
    drawn = sorted(folder.glob('*/*.png'))
    assert [p.relative_to(folder).parts for p in drawn] == [
        ('val_iter7', 'first.png'),
        ('val_iter9', 'first.png'),
    ]


def test_a_null_prediction_is_labelled_and_colours_nothing(tmp_path):
    sample = make_video(tmp_path)
    empty = rle(np.zeros((HEIGHT, WIDTH), bool))
    null = sample.predictions[0]
    null.masks, null.score, null.is_null = [empty] * NUM_FRAMES, 0.12, True
    visualizer = VISUALIZERS.build(
        {
            'type': 'RefVOSVisualizer',
            'name': 'null',
            'min_side': 0,
            'strip_frames': NUM_FRAMES,
        }
    )
    frames = read_frames(sample)
    strip = visualizer.draw_strip(frames, sample, draw_gt=False)
    for i, frame in enumerate(frames):
        left = i * (WIDTH + 4)
        # As bright as it is: there is nothing to stand out.
        picture = strip[:HEIGHT, left : left + WIDTH]
        assert (picture == frame).all()
    alone = next(visualizer.draw_frames(frames, [null]))
    assert (alone[:HEIGHT] == frames[0]).all()
    label = 'the green disk number 0: nothing  (0.12)'
    band = label_band(strip.shape[1], [label], [PALETTE[0]])
    assert (strip[HEIGHT : HEIGHT + len(band)] == band).all()
    # In the video it only adds its label to those of the others.
    for i, (both, other) in enumerate(
        zip(
            visualizer.draw_frames(frames, sample.predictions),
            visualizer.draw_frames(frames, sample.predictions[1:]),
            strict=True,
        )
    ):
        covered = disk(20 + 10 * i, radius=18)
        assert (both[:HEIGHT][~covered] == other[:HEIGHT][~covered]).all()
        assert len(both) > len(other)


def test_frames_that_cannot_be_drawn_are_named(tmp_path):
    sample = make_video(tmp_path)
    (tmp_path / '00003.png').write_bytes(b'no picture')
    with pytest.raises(
        InputError, match=r'00003.png: content is .*a whole image'
    ):
        read_frames(sample)
    Image.new('RGB', (128, 95)).save(tmp_path / '00003.png')
    with pytest.raises(InputError, match=r'00003.png: size .* \(95, 128\)'):
        read_frames(sample)
    bare = sample.new()
    bare.pop('img_paths')
    with pytest.raises(InputError, match='video v/1: img_paths is None'):
        read_frames(bare)


def test_frames_of_video_files_are_read_again(tmp_path):
    frames = [np.full((HEIGHT, WIDTH, 3), 40 * i, np.uint8) for i in range(5)]
    path = str(tmp_path / 'a.mp4')
    write_video(path, frames)
    sample = make_video(tmp_path / 'v')
    sample.set_metainfo({'video_frames': [(path, 3), (path, 1)]})
    shown = read_frames(sample)
    assert [round(frame.mean()) for frame in shown] == pytest.approx(
        [120, 40], abs=3
    )
