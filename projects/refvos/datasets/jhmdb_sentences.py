"""JHMDB-Sentences (Gavrilyuk et al., CVPR 2018) in its published layout."""

import os
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Optional, Tuple

from mmdet.registry import DATASETS

from ..errors import InputError
from ..structures import Reference
from .annotated_frames import AnnotatedFrameDataset, check_rows_layout
from .ref_youtube_vos import is_number

ROWS_FILE = 'jhmdb_sentences_samples_metadata.json'
FRAMES = 'Rename_Images'
MASKS = 'puppet_mask'
# Each video has one annotated person.
PERSON = '1'
# The longest published video has 40 frames.
USUAL_LENGTH = 100
# Video, frame, masks, number of frames.
FrameKey = Tuple[str, str, str, int]


@DATASETS.register_module()
class JHMDBSentencesDataset(AnnotatedFrameDataset):
    """JHMDB-Sentences: one target frame per video.

    For evaluation only (ReferFormer, Appendix B).

    ::

        <data_root>/Rename_Images/<action>/<video>/<%05d from 1>.png
        <data_root>/puppet_mask/<action>/<video>/puppet_mask.mat
        <data_root>/jhmdb_sentences_samples_metadata.json

    The JSON is a list of rows (video, path of the frame, path of the masks,
    number of frames, expression). Of the paths only the part from
    ``Rename_Images`` or ``puppet_mask`` on is used: the published list has
    its authors' folder before it. References have the ids
    ``v_<video>_f_<frame>``.

    Args:
        data_root: Folder of the data set.
        kwargs: Arguments of :class:`BaseReferringDataset`; ``test_mode`` is
            True by default.
    """

    def __init__(self, data_root: str, **kwargs: Any) -> None:
        kwargs.setdefault('test_mode', True)
        super().__init__(data_root=data_root, **kwargs)

    @property
    def rows_file(self) -> Path:
        return Path(self.data_root) / ROWS_FILE

    def parse_row(
        self, name: str, row: Any
    ) -> Optional[Tuple[FrameKey, Reference]]:
        if not is_row(row):
            self.skip(
                self.rows_file,
                name,
                row,
                f'video, frame in {FRAMES}, masks in {MASKS}, number of '
                'frames, expression',
            )
            return None
        video, frame, masks, count, text = row
        text = self.usable_text(text, self.rows_file, name)
        if text is None:
            return None
        frame, masks = below(frame, FRAMES), below(masks, MASKS)
        reference = Reference(
            id=f'v_{video}_f_{number_of(frame)}',
            text=text,
            object_ids=(PERSON,),
        )
        return (video, frame, masks, int(count)), reference

    def make_video(
        self, key: FrameKey, rows: List[Tuple[str, Reference]]
    ) -> Dict[str, Any]:
        video, frame, masks, count = key
        root = Path(self.data_root)
        annotated = {
            'frame_id': PurePosixPath(frame).stem,
            'img_path': str(root / frame),
            'video_length': count,
        }
        if self.with_masks:
            annotated['mat_path'] = str(root / masks)
            annotated['mat_index'] = number_of(frame) - 1
            annotated['named_by'] = {PERSON: f'{self.rows_file}, {rows[0][0]}'}
        return self.describe_video(video, annotated, rows)

    def list_frames(
        self, annotated: Dict[str, Any]
    ) -> Tuple[List[Dict[str, Any]], int]:
        """List all frames of the video's folder."""
        folder = Path(annotated['img_path']).parent
        count, found = annotated['video_length'], count_files(folder)
        if count > max(found, USUAL_LENGTH):
            raise InputError.of(
                folder,
                'number of frames',
                found,
                f'{count} ({self.rows_file})',
            )
        frames: List[Dict[str, Any]] = [
            {
                'frame_id': f'{number:05d}',
                'img_path': str(folder / f'{number:05d}.png'),
            }
            for number in range(1, annotated['video_length'] + 1)
        ]
        index = int(annotated['frame_id']) - 1
        frames[index] = annotated
        return frames, index


def count_files(folder: Path) -> int:
    """Count what is in a folder; 0 if there is none."""
    return sum(1 for _ in os.scandir(folder)) if folder.is_dir() else 0


def is_row(row: Any) -> bool:
    """Tell whether a row has usable paths and a number of frames."""
    if not isinstance(row, (list, tuple)) or len(row) != 5:
        return False
    video, frame, masks, count, _ = row
    return (
        all(isinstance(part, str) and part for part in (video, frame, masks))
        and below(frame, FRAMES) != ''
        and below(masks, MASKS) != ''
        and is_number(count)
        and 0 < number_of(frame) <= int(count)
    )


def below(path: str, folder: str) -> str:
    """Return a path from one of its folders on; '' without that folder."""
    parts = PurePosixPath(path).parts
    if folder not in parts or '..' in parts:
        return ''
    return str(PurePosixPath(*parts[parts.index(folder) :]))


def number_of(frame: str) -> int:
    """Return the number in a frame's file name; 0 if it has none."""
    stem = PurePosixPath(frame).stem
    return int(stem) if is_number(stem) else 0


def check_layout(data_root: str) -> List[str]:
    """List the files that a folder of JHMDB-Sentences lacks.

    Checked are the list, and the frames and masks that it names; by name,
    without opening them.

    Args:
        data_root: Folder of the data set.

    Returns:
        One line per file: the path and what belongs there.
    """
    root = Path(data_root)
    return check_rows_layout(
        root,
        'JHMDB-Sentences',
        [root / ROWS_FILE],
        is_row,
        partial(files_of_row, root),
    )


def files_of_row(root: Path, row: Any) -> Dict[str, str]:
    """Return the files of a row, relative path -> what they hold.

    Of a row that lists far more frames than there are, only some of the
    missing ones are returned: a list may say any number.
    """
    _, frame, masks, count, _ = row
    folder = PurePosixPath(below(frame, FRAMES)).parent
    most = min(int(count), max(count_files(root / folder), USUAL_LENGTH) + 1)
    frames = [f'{number:05d}.png' for number in range(1, most + 1)]
    return {
        **{str(folder / name): 'frame of a video' for name in frames},
        below(masks, MASKS): 'masks of a video',
    }
