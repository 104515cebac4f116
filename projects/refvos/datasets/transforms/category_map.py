"""Read frames with the category of each pixel."""

from typing import List, Optional

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ...errors import InputError
from ...io.images import read_image
from ...io.masks import list_ids, read_masks


@TRANSFORMS.register_module()
class LoadCategoryMap(BaseTransform):
    """Decode a frame and its category map.

    Required Keys: img_path, mask_path, labels (object id -> category index),
    num_classes. Added Keys: img, (H, W, 3) uint8 RGB; img_shape; ori_shape;
    gt_seg_map, (H, W) int64: the category's index, or ``num_classes`` for
    background.

    Args:
        backend_args: Arguments of mmengine's file backends.

    Raises:
        InputError: A file is missing or broken, or the mask holds ids, but
            none of ``labels``.
    """

    def __init__(self, backend_args: Optional[dict] = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        image = read_image(results['img_path'], self.backend_args)
        shape = image.shape[:2]
        results.update(img=image, img_shape=shape, ori_shape=shape)
        labels = results['labels']
        masks = read_masks(results, list(labels), self.backend_args)
        if masks.id_map is not None and all(m is None for m in masks.values()):
            check_empty(results['mask_path'], masks.id_map, list(labels))
        seg_map = np.full(shape, results['num_classes'], np.int64)
        for object_id, mask in masks.items():
            if mask is not None:
                seg_map[mask] = labels[object_id]
        results['gt_seg_map'] = seg_map
        return results


def check_empty(path: str, id_map: np.ndarray, expected: List[str]) -> None:
    """Raise InputError if an id map (H, W) holds any object ids."""
    ids = list_ids(id_map)
    if ids:
        raise InputError.of(path, 'object ids', ids, ', '.join(expected))


@TRANSFORMS.register_module()
class PackCategoryMap(BaseTransform):
    """Pack a frame and its category map for :class:`BackboneClassifier`.

    Required Keys: img, gt_seg_map. Returns ``inputs``, (3, H, W) uint8 RGB,
    and ``labels``, (H, W) int64.
    """

    def transform(self, results: dict) -> dict:
        image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        seg_map = np.ascontiguousarray(results['gt_seg_map'])
        return {
            'inputs': torch.from_numpy(image),
            'labels': torch.from_numpy(seg_map),
        }
