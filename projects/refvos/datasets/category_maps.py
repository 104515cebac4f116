"""Frames with the category of each pixel, to pre-train a backbone."""

from pathlib import Path
from typing import Any, Dict, List, Sequence

from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset

from ..errors import InputError
from .ref_youtube_vos import load_objects


@DATASETS.register_module()
class CategoryMapsDataset(BaseDataset):
    """Semantic segmentation of a data set in Ref-YouTube-VOS's layout.

    Pre-trains a backbone without published weights: from random weights, a
    referring model takes long to learn the words for shapes. An item is a
    frame with at least one object; :class:`LoadCategoryMap` reads it.

    Args:
        data_root: Folder of the data set.
        classes: Names of the categories, as in ``meta.json``.
        split: Split of the data set.
        kwargs: Arguments of mmengine's ``BaseDataset`` (``pipeline``, ...);
            as in :class:`BaseReferringDataset`, ``ann_file`` and
            ``data_prefix`` have no effect.

    Raises:
        InputError: ``meta.json`` is missing or names another category.
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
        """Ignore ``ann_file`` and ``data_prefix``; see the class."""

    def load_data_list(self) -> List[Dict[str, Any]]:
        folder = Path(self.data_root) / self.split
        file = folder / 'meta.json'
        classes = list(self.metainfo['classes'])
        items = []
        for video, described in load_objects(file).items():
            labels: Dict[str, Dict[str, int]] = {}
            for object_id, item in described.get('objects', {}).items():
                category = item.get('category')
                if category not in classes:
                    raise InputError.of(
                        file,
                        f'videos.{video}.objects.{object_id}.category',
                        category,
                        f'one of {classes}',
                    )
                label = classes.index(category)
                for frame in map(str, item.get('frames', ())):
                    labels.setdefault(frame, {})[object_id] = label
            items += [
                {
                    'img_path': str(
                        folder / 'JPEGImages' / video / f'{frame}.jpg'
                    ),
                    'mask_path': str(
                        folder / 'Annotations' / video / f'{frame}.png'
                    ),
                    'labels': labels[frame],
                    'num_classes': len(classes),
                }
                for frame in sorted(labels)
            ]
        if not items:
            raise InputError.of(file, 'frames of objects', 0, 'at least one')
        return items
