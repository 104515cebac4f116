"""Make clips from images, for joint training with videos."""

from typing import Optional, Tuple, Union

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ...errors import InputError
from .loading import make_instance


@TRANSFORMS.register_module()
class MakePseudoClip(BaseTransform):
    """Make a clip from an image by random camera motion (Appendix B).

    One frame, at a random index, is the image itself; the others are rotated,
    shifted and seen in perspective at random, in one warp each. Masks are
    warped alike and boxes computed from them; an object that is warped out
    of the frame is not visible there. Pixels from outside the image are
    black. The paper only uses rotation (up to 20 degrees either way); the
    other warps are off by default.

    Required Keys: frames, a single one, with img. Optional Keys: its
    gt_masks, gt_bboxes_labels. Modified Keys: frames.

    Args:
        num_frames: T.
        max_rotation: Largest angle in degrees, either way, about the image's
            centre.
        max_shift: Largest shift, either way, as a share of width and height.
        max_perspective: Largest distance of the corners of the visible
            quadrilateral from the image's corners, as a share of width and
            height; at least 0, below 0.5.

    Raises:
        InputError: An argument is out of range, or a clip has several
            frames.
    """

    def __init__(
        self,
        num_frames: int = 5,
        max_rotation: float = 20.0,
        max_shift: float = 0.0,
        max_perspective: float = 0.0,
    ) -> None:
        for field, value, allowed, expected in (
            ('num_frames', num_frames, num_frames >= 1, 'at least 1'),
            (
                'max_perspective',
                max_perspective,
                0 <= max_perspective < 0.5,
                'a share from 0 to below 0.5',
            ),
        ):
            if not allowed:
                raise InputError.of(
                    type(self).__name__, field, value, expected
                )
        self.num_frames = num_frames
        self.max_rotation = max_rotation
        self.max_shift = max_shift
        self.max_perspective = max_perspective

    def transform(self, results: dict) -> dict:
        if len(results['frames']) != 1:
            raise InputError.of(
                f'video {results["video_id"]}',
                'number of frames',
                len(results['frames']),
                '1: a pseudo-clip is made of an image',
            )
        (frame,) = results['frames']
        unmoved = np.random.randint(self.num_frames)
        results['frames'] = [
            dict(frame)
            if index == unmoved
            else warp_frame(frame, self.draw_warp(frame['img'].shape[:2]))
            for index in range(self.num_frames)
        ]
        return results

    def draw_warp(self, img_shape: Tuple[int, int]) -> np.ndarray:
        """Draw a homography from the image's to the frame's pixels."""
        return make_warp(
            img_shape,
            rotation=np.random.uniform(-self.max_rotation, self.max_rotation),
            shift=np.random.uniform(-self.max_shift, self.max_shift, size=2)
            * img_shape[::-1],
            corners=np.random.uniform(0, self.max_perspective, size=(4, 2)),
        )


def make_warp(
    img_shape: Tuple[int, int],
    rotation: float = 0.0,
    shift: Union[np.ndarray, Tuple[float, float]] = (0.0, 0.0),
    corners: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Compose a homography (3, 3) of pixel centres, (x, y, 1).

    Args:
        img_shape: (height, width).
        rotation: Angle in degrees, counter-clockwise as seen, about the
            centre.
        shift: x and y in pixels, after the rotation.
        corners: (4, 2), distances of the corners of the visible
            quadrilateral from the image's corners (top left, top right,
            bottom right, bottom left) as shares of width and height; None
            for zeros.
    """
    height, width = img_shape
    if corners is None:
        corners = np.zeros((4, 2))
    last = np.array([width - 1, height - 1], np.float32)
    turned = np.eye(3)
    turned[:2] = cv2.getRotationMatrix2D((last / 2).tolist(), rotation, 1.0)
    turned[:2, 2] += shift
    outer = last * np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    inner = (outer + inwards * corners * last).astype(np.float32)
    zoomed = cv2.getPerspectiveTransform(inner, outer)
    return zoomed @ turned


def warp_frame(frame: dict, warp: np.ndarray) -> dict:
    """Return a warped copy of a loaded frame and its ground truth."""
    warped = dict(frame, img=warp_pixels(frame['img'], warp))
    if 'gt_masks' not in frame:
        return warped
    # Interpolated like the image: outlines of both agree to a fraction of a
    # pixel.
    mask = 255 * frame['gt_masks'].masks.any(0).astype(np.uint8)
    moved = warp_pixels(mask, warp) > 127
    label = int(next(iter(frame['gt_bboxes_labels']), 0))
    warped.update(make_instance(moved, bool(moved.any()), label))
    return warped


def warp_pixels(image: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Warp (H, W) or (H, W, 3) uint8, bilinear, black outside."""
    height, width = image.shape[:2]
    return cv2.warpPerspective(
        image, warp, (width, height), flags=cv2.INTER_LINEAR
    )
