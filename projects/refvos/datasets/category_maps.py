"""Frames with the category of what each pixel shows."""

from pathlib import Path
from typing import Any, Dict, List, Sequence

import mmcv
import numpy as np
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from PIL import Image

from ..errors import InputError
from ..io.json_files import load_json


@DATASETS.register_module()
class CategoryMapsDataset(BaseDataset):
    """Frames of a set in Ref-YouTube-VOS's layout as semantic segmentation.

    To pre-train a backbone where no published weights can be had: a model
    that starts from a backbone whose pixels don't know what they belong to
    takes very long to find out what the words for shapes mean. An item is a
    frame with an object of a known category.

    Args:
        data_root: Folder of the data set.
        classes: Names of the categories, as in ``meta.json``.
        split: Its split.
        kwargs: Of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        data_root: str,
        classes: Sequence[str],
        split: str = 'train',
        **kwargs: Any,
    ) -> None:
        self.split = split
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
        for video, described in load_json(file)['videos'].items():
            labels: Dict[str, Dict[int, int]] = {}
            for object_id, item in described['objects'].items():
                if item['category'] not in classes:
                    raise InputError.of(
                        file,
                        f'videos.{video}.objects.{object_id}.category',
                        item['category'],
                        f'one of {classes}',
                    )
                label = classes.index(item['category'])
                for frame in item['frames']:
                    labels.setdefault(frame, {})[int(object_id)] = label
            items += [
                {
                    'img_path': str(
                        folder / 'JPEGImages' / video / f'{frame}.jpg'
                    ),
                    'mask_path': str(
                        folder / 'Annotations' / video / f'{frame}.png'
                    ),
                    'labels': labels[frame],
                }
                for frame in sorted(labels)
            ]
        return items

    def prepare_data(self, idx: int) -> Dict[str, Any]:
        """Read a frame, flipped or not.

        Returns:
            ``inputs``, (3, H, W) uint8 RGB, and ``labels``, (H, W): the
            category's index, or the number of categories where there is
            none.
        """
        item = self.get_data_info(idx)
        image = mmcv.imread(
            item['img_path'], channel_order='rgb', backend='pillow'
        )
        ids = np.array(Image.open(item['mask_path']))
        labels = np.full(ids.shape, len(self.metainfo['classes']), np.int64)
        for object_id, label in item['labels'].items():
            labels[ids == object_id] = label
        if np.random.rand() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        image = np.ascontiguousarray(image.transpose(2, 0, 1))
        return {
            'inputs': torch.from_numpy(image),
            'labels': torch.from_numpy(labels.copy()),
        }
