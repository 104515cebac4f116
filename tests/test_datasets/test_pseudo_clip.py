"""Pseudo-clips: the ground truth is warped like the image."""

import math

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.dataset import Compose

from refvos.datasets.transforms import MakePseudoClip
from refvos.datasets.transforms.loading import make_instance
from refvos.datasets.transforms.pseudo_clip import make_warp, warp_pixels
from refvos.errors import InputError
from refvos.structures import Reference

SIZE = (60, 90)
ALL_WARPS = {'max_rotation': 20, 'max_shift': 0.1, 'max_perspective': 0.08}


def draw_star():
    """Draw a shape without symmetry, (H, W) bool."""
    corners = [(25, 12), (60, 18), (48, 30), (66, 47), (30, 44), (38, 28)]
    image = np.zeros(SIZE, np.uint8)
    return cv2.fillPoly(image, [np.array(corners)], 255) > 0


def make_image(mask, text='the shape on the left'):
    frame = {
        'img': np.repeat(255 * mask[..., None].astype(np.uint8), 3, 2),
        'frame_id': 'a',
        'img_path': 'a.jpg',
        'img_shape': mask.shape,
        'ori_shape': mask.shape,
    }
    frame.update(make_instance(mask, True, 7))
    return {
        'video_id': 'a',
        'frames': [frame],
        'references': [Reference('0', text=text, object_ids=('1',))],
    }


def shown(frame):
    """Return the mask of the shape in the image."""
    return frame['img'][..., 0] > 127


def gt_mask_of(frame):
    masks = frame['gt_masks'].masks
    return masks[0] > 0 if len(masks) else np.zeros(masks.shape[1:], bool)


@pytest.mark.parametrize('num_frames', [1, 2, 5])
def test_the_mask_is_warped_like_the_image(num_frames):
    mask = draw_star()
    places = set()
    for _ in range(20):
        image = make_image(mask)
        clip = MakePseudoClip(num_frames, **ALL_WARPS)(image)['frames']
        assert len(clip) == num_frames
        moved = []
        for frame in clip:
            assert frame['img'].dtype == np.uint8
            assert (gt_mask_of(frame) == shown(frame)).all()
            box = frame['gt_masks'].get_bboxes(HorizontalBoxes).tensor
            assert torch.equal(frame['gt_bboxes'].tensor, box)
            assert frame['gt_bboxes_labels'].tolist() == [7]
            moved.append(not (shown(frame) == mask).all())
        # One frame is the image itself, at a random index.
        assert moved.count(False) == 1
        places.add(moved.index(False))
        # All warps differ.
        pictures = {frame['img'].tobytes() for frame in clip}
        assert len(pictures) == num_frames
    assert places == set(range(num_frames))


def test_nothing_moves_at_zero():
    mask = draw_star()
    step = MakePseudoClip(4, max_rotation=0)
    noise = np.random.randint(0, 256, (*SIZE, 3), dtype=np.uint8)
    image = make_image(mask)
    image['frames'][0]['img'] = noise
    for frame in step(image)['frames']:
        assert (frame['img'] == noise).all()
        assert (gt_mask_of(frame) == mask).all()
    assert make_warp(SIZE) == pytest.approx(np.eye(3), abs=1e-12)


def test_rotation_is_about_the_centre_and_counter_clockwise():
    image = np.random.randint(0, 256, (21, 21), dtype=np.uint8)
    turned = warp_pixels(image, make_warp((21, 21), rotation=90))
    assert (turned == np.rot90(image)).all()


def test_shift_is_in_pixels_with_black_outside():
    image = np.random.randint(1, 256, SIZE, dtype=np.uint8)
    moved = warp_pixels(image, make_warp(SIZE, shift=(3, -2)))
    assert (moved[:-2, 3:] == image[2:, :-3]).all()
    assert not moved[-2:].any() and not moved[:, :3].any()


def test_perspective_maps_the_quadrilateral_to_the_frame():
    # Corners a quarter inside: enlarged twice about the centre (4, 4).
    warp = make_warp((9, 9), corners=np.full((4, 2), 0.25))
    for point, place in (((4, 4), (4, 4)), ((5, 4), (6, 4)), ((2, 6), (0, 8))):
        x, y, scale = warp @ (*point, 1)
        assert (x / scale, y / scale) == pytest.approx(place, abs=1e-5)
    # A single corner moves; the others are fixed.
    corners = np.zeros((4, 2))
    corners[0] = (0.25, 0.5)
    warp = make_warp((9, 9), corners=corners)
    for point, place in (((2, 4), (0, 0)), ((8, 0), (8, 0)), ((0, 8), (0, 8))):
        x, y, scale = warp @ (*point, 1)
        assert (x / scale, y / scale) == pytest.approx(place, abs=1e-5)


def test_angles_are_drawn_from_the_whole_range():
    step = MakePseudoClip(5)
    warps = [step.draw_warp(SIZE) for _ in range(400)]
    angles = [
        math.degrees(math.atan2(warp[0, 1], warp[0, 0])) for warp in warps
    ]
    assert -20 <= min(angles) < -18 and 18 < max(angles) <= 20
    # A rotation keeps the centre and lengths.
    middle = np.array([44.5, 29.5, 1])
    for warp in warps[:20]:
        assert warp @ middle == pytest.approx(middle, abs=1e-4)
        assert np.linalg.det(warp[:2, :2]) == pytest.approx(1, abs=1e-5)


def test_an_object_out_of_view_is_invisible():
    mask = np.zeros(SIZE, bool)
    mask[:6, :6] = True
    pack = TRANSFORMS.build({'type': 'PackRefInputs'})
    step = MakePseudoClip(8, max_rotation=0, max_shift=0.3)
    clip = step(make_image(mask))
    seen = [bool(shown(frame).any()) for frame in clip['frames']]
    assert 1 <= sum(seen) < 8
    for frame, visible in zip(clip['frames'], seen, strict=True):
        assert len(frame['gt_masks']) == len(frame['gt_bboxes']) == visible
    sample = pack(clip)['data_samples']
    assert [len(frame.gt_instances) == 1 for frame in sample] == seen


def test_flips_swap_the_sides_of_a_pseudo_clip():
    steps = Compose(
        [
            {'type': 'MakePseudoClip', 'num_frames': 3, **ALL_WARPS},
            {
                'type': 'TransformFrames',
                'transforms': [{'type': 'RandomFlip', 'prob': 1.0}],
            },
            {'type': 'SwapSidesInText'},
        ]
    )
    clip = steps(make_image(draw_star()))
    assert clip['references'][0].text == 'the shape on the right'
    assert any(
        (shown(frame) == draw_star()[:, ::-1]).all()
        for frame in clip['frames']
    )
    for frame in clip['frames']:
        assert (gt_mask_of(frame) == shown(frame)).all()


def test_bad_arguments():
    with pytest.raises(InputError, match='num_frames is 0; expected at'):
        MakePseudoClip(0)
    with pytest.raises(InputError, match=r'max_perspective is 0\.5'):
        MakePseudoClip(max_perspective=0.5)
    clip = make_image(draw_star())
    clip['frames'] *= 2
    with pytest.raises(InputError, match='number of frames is 2; expected 1'):
        MakePseudoClip()(clip)
