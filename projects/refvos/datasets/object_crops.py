"""Single objects, cut out of videos, with their categories."""

from pathlib import Path
from typing import Any, Dict, List, Sequence

import mmcv
import numpy as np
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from PIL import Image

from ..errors import InputError
from .json_files import load_json


@DATASETS.register_module()
class ObjectCropsDataset(BaseDataset):
    """Windows around the objects of a set in Ref-YouTube-VOS's layout.

    To pre-train a backbone where no published weights can be had: a model
    that starts from a backbone blind to shapes takes very long to find out
    what the words for them mean. An item is one object in one frame.

    Args:
        data_root: Folder of the data set.
        classes: Names of the categories, as in ``meta.json``.
        split: Its split.
        size: Side of the window in pixels; it lies around the middle of
            the object's box, and what lies outside the frame is black.
        jitter: The window is off by up to this many pixels.
        kwargs: Of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        data_root: str,
        classes: Sequence[str],
        split: str = 'train',
        size: int = 64,
        jitter: int = 8,
        **kwargs: Any,
    ) -> None:
        self.split = split
        self.size = size
        self.jitter = jitter
        super().__init__(
            data_root=data_root, metainfo=dict(classes=classes), **kwargs
        )

    def _join_prefix(self) -> None:
        """Paths are built from ``data_root`` below."""

    def load_data_list(self) -> List[Dict[str, Any]]:
        folder = Path(self.data_root) / self.split
        file = folder / 'meta.json'
        classes = list(self.metainfo['classes'])
        items = []
        frames, masks = folder / 'JPEGImages', folder / 'Annotations'
        for video, described in load_json(file)['videos'].items():
            for object_id, item in described['objects'].items():
                if item['category'] not in classes:
                    raise InputError.of(
                        file,
                        f'videos.{video}.objects.{object_id}.category',
                        item['category'],
                        f'one of {classes}',
                    )
                items += [
                    {
                        'img_path': str(frames / video / f'{name}.jpg'),
                        'mask_path': str(masks / video / f'{name}.png'),
                        'object_id': int(object_id),
                        'label': classes.index(item['category']),
                    }
                    for name in item['frames']
                ]
        return items

    def prepare_data(self, idx: int) -> Dict[str, Any]:
        """Cut an object out.

        Returns:
            ``inputs``, (3, size, size) uint8 RGB, and ``labels``, an index.
        """
        item = self.get_data_info(idx)
        image = mmcv.imread(
            item['img_path'], channel_order='rgb', backend='pillow'
        )
        ids = np.array(Image.open(item['mask_path']))
        rows, columns = np.nonzero(ids == item['object_id'])
        centre = np.array(
            [rows.min() + rows.max(), columns.min() + columns.max()]
        )
        shift = np.random.randint(-self.jitter, self.jitter + 1, size=2)
        top, left = centre // 2 + shift - self.size // 2
        window = mmcv.imcrop(
            np.pad(
                image, [(self.size, self.size), (self.size, self.size), (0, 0)]
            ),
            np.array([left, top, left + self.size - 1, top + self.size - 1])
            + self.size,
        )
        if np.random.rand() < 0.5:
            window = window[:, ::-1]
        window = np.ascontiguousarray(window.transpose(2, 0, 1))
        return {'inputs': torch.from_numpy(window), 'labels': item['label']}
