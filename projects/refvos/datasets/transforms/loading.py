"""Read frames and masks."""

from collections import defaultdict
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.logging import MMLogger
from pycocotools import mask as rle_codec

from ...errors import InputError
from ...io.images import read_image, read_reduced_image
from ...io.masks import Masks, check_listed_size, name_of, read_masks
from ...io.video_frames import read_video_frames
from ...structures import shared_object
from ..mask_check import (
    UndrawnObjects,
    first_with_masks,
    referred_objects,
)
from .clip import target_frames


@TRANSFORMS.register_module()
class LoadFrames(BaseTransform):
    """Decode the chosen frames.

    Images are decoded by :func:`read_image`; videos by
    :func:`read_video_frames`, each file once per clip.

    Required Keys: frames[].img_path, or frames[].video_path and
    frames[].frame_index (from 0). Optional Keys: frames[].listed_size, its
    (height, width) in the lists. Added Keys: frames[].img, (H, W, 3) uint8
    RGB; frames[].img_shape; frames[].ori_shape.

    Args:
        backend_args: Arguments of mmengine's file backends, for images;
            videos are local files.
        min_side: Decode JPEGs at a half, a quarter or an eighth of their
            size, with a shorter side of at least this many pixels, which
            takes a fraction of the time and memory. ``ori_shape`` stays the
            full size. For tests only, since training masks would not fit;
            pixels differ from those of decoding and resizing. None decodes
            at full size.

    Raises:
        InputError: A file is missing or broken, or frames differ in size from
            each other or from the lists.
    """

    def __init__(
        self,
        backend_args: Optional[dict] = None,
        min_side: Optional[int] = None,
    ) -> None:
        self.backend_args = backend_args
        self.min_side = min_side

    def transform(self, results: dict) -> dict:
        first: Optional[Tuple[int, int]] = None
        self.decode_videos(results['frames'])
        for frame in results['frames']:
            image = frame.pop('img', None)
            if image is None:
                image, shape = self.decode_image(frame['img_path'])
            else:
                shape = image.shape[:2]
            if first is not None and shape != first:
                raise InputError.of(
                    name_of(frame),
                    'size (height, width)',
                    shape,
                    f'{first}, as the other frames of the video',
                )
            first = shape
            check_listed_size(frame, shape)
            frame.update(img=image, img_shape=image.shape[:2], ori_shape=shape)
        return results

    @staticmethod
    def decode_videos(frames: List[Dict[str, Any]]) -> None:
        """Decode the frames that are in video files, file by file."""
        files: Dict[str, List[Dict[str, Any]]] = defaultdict(list)
        for frame in frames:
            if 'video_path' in frame and 'img' not in frame:
                files[frame['video_path']].append(frame)
        for path, wanted in files.items():
            images = read_video_frames(
                path, [frame['frame_index'] for frame in wanted]
            )
            for frame, image in zip(wanted, images):
                frame['img'] = image

    def decode_image(self, path: str) -> Tuple[np.ndarray, Tuple[int, int]]:
        """Decode an image, reduced if ``min_side`` asks for it.

        Returns:
            (h, w, 3) uint8, RGB, and the image's own size (H, W).
        """
        if self.min_side is None:
            image = read_image(path, self.backend_args)
            return image, image.shape[:2]
        return read_reduced_image(path, self.min_side, self.backend_args)


@TRANSFORMS.register_module()
class LoadTubes(BaseTransform):
    """Read the objects' masks from the frames' sources (``MASK_SOURCES``).

    In training (``as_rle=False``) each frame gets the union of the masks of
    the reference's objects as one instance in mmdet's form; no instance if
    none of them is visible. Its label is the category of the first object,
    -1 if unknown. A clip without any visible object gives None, so that
    another item replaces it.

    At test time (``as_rle=True``) the video gets ``gt_tubes``: all objects
    that are referred to or among ``other_objects``, run-length encoded.

    Masks are read for the target frames only. Frames with ``labelled=False``
    have none: nothing is read, and no object is visible.

    Required Keys: frames[] with a key of ``MASK_SOURCES``,
    frames[].ori_shape, references, labels. Optional Keys: target_frames,
    other_objects, listed_objects, frames[].labelled. Added Keys:
    frames[].gt_masks, frames[].gt_bboxes, frames[].gt_bboxes_labels,
    frames[].gt_ignore_flags; or gt_tubes, object id -> one RLE or None per
    target frame.

    Args:
        as_rle: Add ``gt_tubes`` instead of instances.
        backend_args: Arguments of mmengine's file backends.
        optional: Add nothing to a video none of whose frames has masks, for
            test sets whose ground truth is not always there.

    Raises:
        InputError: A mask is missing, broken or not of its frame's size; or,
            at test time, the id maps of a video hold other ids than its
            lists name. If only some of the referred objects are never drawn
            while there are ids that the lists do not name, there is one
            warning per video.
    """

    def __init__(
        self,
        as_rle: bool = False,
        backend_args: Optional[dict] = None,
        optional: bool = False,
    ) -> None:
        self.as_rle = as_rle
        self.optional = optional
        self.backend_args = backend_args
        # Videos with a warning.
        self.reported: Set[str] = set()

    def transform(self, results: dict) -> Optional[dict]:
        if self.optional and first_with_masks(results) is None:
            return results
        if self.as_rle:
            return self.load_all(results)
        return self.load_referred(results)

    def read(self, frame: dict, object_ids: Sequence[str]) -> Masks:
        """Read masks; those of a frame without a label are unknown."""
        if not frame.get('labelled', True):
            return Masks(dict.fromkeys(object_ids))
        return read_masks(frame, object_ids, self.backend_args)

    def load_referred(self, results: dict) -> Optional[dict]:
        """Add the referred object to each target frame, as an instance."""
        object_ids = shared_object(
            results['references'], str(results.get('video_id'))
        )
        first = next(iter(object_ids), '')
        label = results['labels'].get(first, -1)
        seen = False
        for frame in target_frames(results):
            found = self.read(frame, object_ids)
            drawn = [mask for mask in found.values() if mask is not None]
            visible = bool(drawn)
            seen = seen or visible
            mask = np.zeros(frame['ori_shape'], bool)
            if visible:
                mask = np.logical_or.reduce(drawn)
            frame.update(make_instance(mask, visible, label))
        return results if seen else None

    def load_all(self, results: dict) -> dict:
        """Add the tubes of all objects."""
        referred = referred_objects(results['references'])
        others = results.get('other_objects', ())
        wanted = list(dict.fromkeys([*referred, *others]))
        tubes: Dict[str, list] = {object_id: [] for object_id in wanted}
        undrawn = UndrawnObjects(results)
        for frame in target_frames(results):
            masks = self.read(frame, wanted)
            undrawn.add(frame, masks)
            for object_id, tube in tubes.items():
                tube.append(encode_mask(masks[object_id]))
        self.report(str(results.get('video_id')), undrawn.explain())
        results['gt_tubes'] = tubes
        return results

    def report(self, video: str, problem: Optional[str]) -> None:
        """Warn of a problem, once per video."""
        if problem is not None and video not in self.reported:
            self.reported.add(video)
            MMLogger.get_current_instance().warning(
                f'{problem}; the ground truth of objects that are never '
                'drawn is background'
            )


def encode_mask(mask: Optional[np.ndarray]) -> Optional[dict]:
    """Run-length encode a mask (H, W); None stays None."""
    if mask is None:
        return None
    return rle_codec.encode(np.asfortranarray(mask, np.uint8))


def make_instance(mask: np.ndarray, visible: bool, label: int) -> dict:
    """Describe a mask (H, W) as one instance in mmdet's form.

    Args:
        mask: The object's pixels.
        visible: False gives no instance.
        label: Category index.
    """
    count = int(visible)
    masks = BitmapMasks(mask[None][:count].astype(np.uint8), *mask.shape)
    return {
        'gt_masks': masks,
        'gt_bboxes': masks.get_bboxes(dst_type=HorizontalBoxes),
        'gt_bboxes_labels': np.full(count, label, np.int64),
        'gt_ignore_flags': np.zeros(count, bool),
    }
