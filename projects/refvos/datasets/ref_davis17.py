"""Ref-DAVIS17 (Khoreva et al., ACCV 2018) in its converted layout."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional

from mmdet.registry import DATASETS

from ..errors import InputError
from ..io.data_files import load_json_entries
from ..structures import Reference
from .layout import missing_files
from .ref_davis17_constants import ANNOTATORS, VOID
from .ref_youtube_vos import RefYouTubeVOSDataset, is_number, load_objects


@DATASETS.register_module()
class RefDAVIS17Dataset(RefYouTubeVOSDataset):
    """Ref-DAVIS17 as ``tools/dataset_converters/ref_davis17.py`` writes it.

    The layout is Ref-YouTube-VOS's, with masks for both splits. The id of an
    expression is four times the index of its object plus that of its
    annotator in ``ANNOTATORS``, which becomes ``Reference.annotator``. At
    test time ``other_objects`` are all objects of the video, referred to or
    not, and void (255): DAVIS's evaluation needs their masks.

    Args:
        data_root: Folder of the converted data set.
        split: 'train' or 'valid'.
        kwargs: Arguments of :class:`BaseReferringDataset`; ``annotators``
            are some of ``ANNOTATORS``.
    """

    splits = ('train', 'valid')

    def leave_out_test(
        self, described: Dict[str, Any], warn: bool
    ) -> Dict[str, Any]:
        """Return all videos: there is no test split."""
        return described

    def load_objects(self) -> Optional[Dict[str, Any]]:
        """Read ``meta.json``, which lists the objects of every split."""
        file = self.split_folder / 'meta.json'
        return load_objects(file) if self.with_masks else None

    @property
    def split_folder(self) -> Path:
        """Folder of the split's files."""
        return Path(self.data_root) / self.split

    def named_objects(self) -> Dict[str, Collection[str]]:
        named = super().named_objects()
        return {video: (*ids, VOID) for video, ids in named.items()}

    def make_video(
        self,
        name: str,
        video: Dict[str, Any],
        objects: Optional[Dict[str, Any]],
    ) -> Dict[str, Any]:
        made = super().make_video(name, video, objects)
        if objects is not None and self.test_mode:
            known = objects.get(name, {}).get('objects', {})
            made['other_objects'] = (*known, VOID)
        return made

    def make_reference(
        self,
        video: str,
        id: str,
        expression: Dict[str, Any],
        objects: Optional[Dict[str, Any]],
    ) -> Optional[Reference]:
        # At test time the predictions of a video's expressions compete, also
        # those of objects that are never drawn.
        known = None if self.test_mode else objects
        reference = super().make_reference(video, id, expression, known)
        if reference is None:
            return None
        if not is_number(id):
            raise InputError.of(
                self.expressions_file,
                f'videos.{video}.expressions',
                id,
                'a number: four times the place of the object plus that of '
                'the annotator',
            )
        annotator = ANNOTATORS[int(id) % len(ANNOTATORS)]
        return replace(reference, annotator=annotator)


def check_layout(data_root: str) -> List[str]:
    """List the files that a folder of the converted set lacks, by name.

    Args:
        data_root: Folder of the data set.

    Returns:
        One line per file or folder: the path and what belongs there.
    """
    root = Path(data_root)
    missing: List[str] = []
    for split in RefDAVIS17Dataset.splits:
        if not (root / split / 'meta.json').exists():
            missing.append(f'{root}/{split}/meta.json: objects of the split')
        file = root / 'meta_expressions' / split / 'meta_expressions.json'
        for name, frames in listed_frames(file, missing).items():
            for kind, suffix, what in (
                ('JPEGImages', 'jpg', 'frames of the video'),
                ('Annotations', 'png', 'masks of the video'),
            ):
                missing += missing_files(
                    root / split / kind / name,
                    [f'{frame}.{suffix}' for frame in frames],
                    what,
                )
    return missing


def listed_frames(file: Path, missing: List[str]) -> Dict[str, List[str]]:
    """Read the names of the videos' frames in ``meta_expressions.json``.

    Args:
        file: The list.
        missing: List to which a line is added if it is missing or broken.

    Returns:
        Video -> names of its frames.
    """
    try:
        videos = load_json_entries(file, 'videos')
    except InputError as error:
        missing.append(str(error))
        return {}
    frames = {}
    for name, video in videos.items():
        found = video.get('frames') if isinstance(video, dict) else None
        if isinstance(found, list):
            frames[name] = found
        else:
            missing.append(f'{file}: frames of {name}')
    return frames
