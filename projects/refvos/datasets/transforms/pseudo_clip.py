"""Clips made of an image, for joint training with videos."""

from typing import Optional, Tuple, Union

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ...errors import InputError
from .loading import make_instance


@TRANSFORMS.register_module()
class MakePseudoClip(BaseTransform):
    """Make a clip of an image as if the camera moved (Appendix B).

    One frame, at a place by chance, is the image itself; each of the others
    is rotated, shifted and seen in perspective by chance, in one warp. The
    masks go through the same warp, boxes are those of the masks; an object
    warped out of view is not visible in that frame. What comes into view
    from outside of the image is black. The paper names the rotation alone
    (20 degrees either way); the other warps are off unless asked for.

    Required Keys: frames, just one, with img. Optional: its gt_masks,
    gt_bboxes_labels. Modified Keys: frames.

    Args:
        num_frames: T.
        max_rotation: In degrees, either way, about the image's middle.
        max_shift: As shares of width and height, either way.
        max_perspective: How far inside the image each corner of what fills
            the frame may lie, as shares of width and height; 0 .. 0.5.
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
        rotation: In degrees, counter-clockwise as seen, about the middle.
        shift: x and y in pixels, after the rotation.
        corners: How far inside the image the corners of what fills the frame
            lie: top left, top right, bottom right, bottom left; shares of
            width and height; none by default.
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
    """Warp a loaded frame and its truth; the given one stays as it is."""
    warped = dict(frame, img=warp_pixels(frame['img'], warp))
    if 'gt_masks' not in frame:
        return warped
    # As an image of 0 and 255, so that an outline lies where it does in the
    # picture, to a fraction of a pixel.
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
