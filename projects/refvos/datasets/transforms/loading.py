"""Reading frames and masks."""

from collections import defaultdict
from io import BytesIO
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from PIL import Image, ImageOps
from pycocotools import mask as rle_codec

from ...errors import InputError
from ...io.images import broken_images_named, read_bytes, read_image
from ...io.masks import Masks, name_of, read_masks
from ...io.video_frames import read_video_frames
from ...structures import shared_object
from .clip import target_frames


@TRANSFORMS.register_module()
class LoadFrames(BaseTransform):
    """Decode the chosen frames.

    Required Keys: frames[].img_path, or frames[].video_path and
    frames[].frame_index (from 0). Added to each frame: img (H, W, 3) uint8
    RGB, img_shape, ori_shape.

    Images are decoded by Pillow: OpenCV fills up a truncated JPEG with grey
    and says nothing. Videos are read by :func:`read_video_frames`, each once
    a clip.

    Args:
        backend_args: Of mmengine's file backends, for images; videos are
            local files.
        min_side: JPEGs whose short side is at least twice as long are
            decoded at a half, a quarter or an eighth of their size, which
            takes a fraction of the time and memory; ``ori_shape`` stays
            theirs. For tests only (no masks for training fit), and the
            pixels are not those that decoding and resizing gives: off by
            default.
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
            shape = None
            if image is None:
                image, shape = self.decode_smaller(frame['img_path'])
            shape = shape or image.shape[:2]
            if first is not None and shape != first:
                raise InputError.of(
                    name_of(frame),
                    'size (height, width)',
                    shape,
                    f'{first}, as the other frames of the video',
                )
            first = shape
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

    def decode_smaller(
        self, path: str
    ) -> Tuple[np.ndarray, Optional[Tuple[int, int]]]:
        """Decode an image as ``min_side`` says.

        Returns:
            RGB, and the image's own size (h, w) where that is another.
        """
        if self.min_side is None:
            return read_image(path, self.backend_args), None
        content = read_bytes(path, 'a frame', self.backend_args)
        with broken_images_named(path), Image.open(BytesIO(content)) as image:
            width, height = image.size
            factors = [
                factor
                for factor in (2, 4, 8)
                if min(width, height) // factor >= self.min_side
            ]
            if not factors or image.format != 'JPEG':
                return read_image(path, self.backend_args), None
            image.draft('RGB', (width // factors[-1], height // factors[-1]))
            upright = ImageOps.exif_transpose(image.convert('RGB'))
            picture = np.asarray(upright)
        if (width < height) != (upright.width < upright.height):
            width, height = height, width
        return picture, (height, width)


@TRANSFORMS.register_module()
class LoadTubes(BaseTransform):
    """Read the objects' masks from where the frames say (``MASK_SOURCES``).

    For training (``as_rle=False``) each frame gets the union of the
    reference's objects as mmdet wants it: gt_masks, gt_bboxes,
    gt_bboxes_labels, gt_ignore_flags, with no instance where the object is
    not visible. The label is that of the first object, -1 where its category
    is unknown (only a model that names categories minds). A clip in which it
    is nowhere visible gives None, so that another item takes its place. For
    testing (``as_rle=True``) all objects of the video that are referred to or
    among ``other_objects`` become ``gt_tubes``, run-length encoded. Where a
    clip has ``target_frames``, only the frames that it names have masks.
    Frames that say ``labelled=False`` have none: nothing is read for them,
    and no object is visible.

    Required Keys: frames[] with a key of ``MASK_SOURCES``,
    frames[].ori_shape, references, labels. Optional: target_frames,
    other_objects, frames[].labelled.

    Args:
        as_rle: Which of the two.
        backend_args: Of mmengine's file backends.
    """

    def __init__(
        self, as_rle: bool = False, backend_args: Optional[dict] = None
    ) -> None:
        self.as_rle = as_rle
        self.backend_args = backend_args

    def transform(self, results: dict) -> Optional[dict]:
        if self.as_rle:
            return self.load_all(results)
        return self.load_referred(results)

    def read(self, frame: dict, object_ids: Sequence[str]) -> Masks:
        """Read masks; of a frame without a label, none are known."""
        if not frame.get('labelled', True):
            return dict.fromkeys(object_ids)
        return read_masks(frame, object_ids, self.backend_args)

    def load_referred(self, results: dict) -> Optional[dict]:
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
            frame.update(as_instance(mask, visible, label))
        return results if seen else None

    def load_all(self, results: dict) -> dict:
        # In the references' order, each once.
        referred = [
            object_id
            for reference in results['references']
            for object_id in reference.object_ids
        ]
        others = results.get('other_objects', ())
        wanted = list(dict.fromkeys([*referred, *others]))
        tubes: Dict[str, list] = {object_id: [] for object_id in wanted}
        for frame in target_frames(results):
            masks = self.read(frame, wanted)
            for object_id, tube in tubes.items():
                tube.append(as_rle(masks[object_id]))
        results['gt_tubes'] = tubes
        return results


def as_rle(mask: Optional[np.ndarray]) -> Optional[dict]:
    """Run-length encode a mask (H, W); None stays None."""
    if mask is None:
        return None
    return rle_codec.encode(np.asfortranarray(mask, np.uint8))


def as_instance(mask: np.ndarray, visible: bool, label: int) -> dict:
    """One or no instance in mmdet's form."""
    count = int(visible)
    masks = BitmapMasks(mask[None][:count].astype(np.uint8), *mask.shape)
    return {
        'gt_masks': masks,
        'gt_bboxes': masks.get_bboxes(dst_type=HorizontalBoxes),
        'gt_bboxes_labels': np.full(count, label, np.int64),
        'gt_ignore_flags': np.zeros(count, bool),
    }
