"""MeViS (Ding et al., ICCV 2023) in its published layout."""

from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Tuple

from mmdet.registry import DATASETS

from ..errors import InputError
from ..io.data_files import load_json_entries
from ..io.mask_store import MaskStore
from ..structures import Reference
from .layout import missing_files
from .ref_davis17 import listed_frames
from .ref_youtube_vos import RefYouTubeVOSDataset


@DATASETS.register_module()
class MeViSDataset(RefYouTubeVOSDataset):
    """MeViS: expressions that refer to several objects by their motion.

    ::

        <data_root>/{train,valid_u,valid}/JPEGImages/<video>/<frame>.jpg
        <data_root>/{train,valid_u,valid}/meta_expressions.json
        <data_root>/{train,valid_u}/mask_dict.json

    A reference's ``object_ids`` are the expression's ``anno_id``, the keys
    of ``mask_dict.json``: one run-length encoding or null per frame. That
    file (hundreds of MB) is read once and kept encoded; frames get their
    masks in :meth:`get_data_info`.

    Args:
        data_root: Folder of the data set.
        split: 'train', 'valid_u' (with masks) or 'valid' (for the evaluation
            server, without masks).
        kwargs: Arguments of :class:`BaseReferringDataset`.
    """

    METAINFO = {'classes': ('object',)}
    splits = ('train', 'valid_u', 'valid')

    @property
    def split_folder(self) -> Path:
        """Folder of the split's files."""
        return Path(self.data_root) / self.split

    @property
    def expressions_file(self) -> Path:
        return self.split_folder / 'meta_expressions.json'

    def find_missing_truth(self) -> Optional[str]:
        """Say that the masks of the split are missing, if they are."""
        file = self.split_folder / 'mask_dict.json'
        return None if file.exists() else f'{file} (the masks of the split)'

    def load_videos(self) -> List[Dict[str, Any]]:
        self.masks: Optional[MaskStore] = None
        if self.with_masks:
            self.masks = MaskStore(self.split_folder / 'mask_dict.json')
        return [
            self.make_video(name, video, None)
            for name, video in load_json_entries(
                self.expressions_file, 'videos'
            ).items()
        ]

    def named_objects(self) -> Dict[str, Collection[str]]:
        """Return nothing: masks are listed by object, not drawn as ids."""
        return {}

    def make_video(
        self,
        name: str,
        video: Dict[str, Any],
        objects: Optional[Dict[str, Any]],
    ) -> Dict[str, Any]:
        """Describe a video, without its frames.

        Every training item has a copy of its video's description; with the
        frames' paths and masks, all items would take gigabytes.
        """
        self.check_video(name, video)
        references = [
            self.make_reference(name, id, expression, objects)
            for id, expression in video['expressions'].items()
        ]
        frame_ids = sorted(video['frames'])
        kept = [reference for reference in references if reference is not None]
        for reference in kept:
            self.check_lengths(name, reference, len(frame_ids))
        return {
            'video_id': name,
            'frame_ids': frame_ids,
            'references': kept,
            'labels': {},
        }

    def find_objects(
        self,
        field: str,
        expression: Dict[str, Any],
        objects: Optional[Dict[str, Any]],
    ) -> Optional[Tuple[str, ...]]:
        """Return the ids of the objects; None if they cannot be used."""
        assert self.masks is not None
        ids = expression.get('anno_id')
        if not isinstance(ids, list):
            raise InputError.of(
                self.expressions_file,
                f'{field}.anno_id',
                ids,
                'a list of ids (this split is used with its masks)',
            )
        object_ids = tuple(dict.fromkeys(str(id) for id in ids))
        unknown = [id for id in object_ids if id not in self.masks]
        if unknown:
            self.skip(
                self.expressions_file,
                f'{field}.anno_id',
                unknown[0],
                f'an id of {self.masks.file.name}',
            )
            return None
        drawn = any(self.masks.is_drawn(id) for id in object_ids)
        if not drawn and not self.test_mode:
            self.skip(
                self.expressions_file,
                f'{field}.anno_id',
                ids,
                'an object that appears in the video, to train on',
            )
            return None
        return object_ids

    def check_lengths(
        self, video: str, reference: Reference, num_frames: int
    ) -> None:
        """Raise InputError unless objects have one mask or null per frame."""
        for object_id in reference.object_ids:
            assert self.masks is not None
            length = self.masks.num_frames(object_id)
            if length != num_frames:
                raise InputError.of(
                    self.masks.file,
                    f'{object_id}: number of masks',
                    length,
                    f'{num_frames}, the frames of video {video}',
                )

    def get_data_info(self, idx: int) -> Dict[str, Any]:
        """Return an item with its frames' paths and encoded masks."""
        item = super().get_data_info(idx)
        folder = self.split_folder / 'JPEGImages' / item['video_id']
        wanted = {
            object_id
            for reference in item['references']
            for object_id in reference.object_ids
        }
        item['frames'] = []
        for index, frame_id in enumerate(item['frame_ids']):
            frame: Dict[str, Any] = {
                'img_path': str(folder / f'{frame_id}.jpg'),
                'frame_id': frame_id,
            }
            if self.masks is not None:
                frame['segmentations'] = {
                    object_id: self.masks.get(object_id, index)
                    for object_id in wanted
                }
            item['frames'].append(frame)
        return item


def check_layout(data_root: str) -> List[str]:
    """List the files that a folder of MeViS lacks, by name.

    Args:
        data_root: Folder of the data set.

    Returns:
        One line per file or folder: the path and what belongs there.
    """
    missing: List[str] = []
    for split in MeViSDataset.splits:
        folder = Path(data_root) / split
        masks = folder / 'mask_dict.json'
        if split != 'valid' and not masks.exists():
            missing.append(f'{masks}: masks of the split by anno_id')
        listed = listed_frames(folder / 'meta_expressions.json', missing)
        for name, frames in listed.items():
            missing += missing_files(
                folder / 'JPEGImages' / name,
                [f'{frame}.jpg' for frame in frames],
                'frames of the video',
            )
    return missing
