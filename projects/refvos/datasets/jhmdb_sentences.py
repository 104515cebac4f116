"""JHMDB-Sentences (Gavrilyuk et al., CVPR 2018), as it lies on disk."""

from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Optional, Tuple

from mmdet.registry import DATASETS

from ..structures import Reference
from .annotated_frames import AnnotatedFrameDataset, check_rows_layout

ROWS_FILE = 'jhmdb_sentences_samples_metadata.json'
FRAMES = 'Rename_Images'
MASKS = 'puppet_mask'
# Each video shows one person that is annotated.
PERSON = '1'
# Video, frame, masks, number of frames.
Place = Tuple[str, str, str, int]


@DATASETS.register_module()
class JHMDBSentencesDataset(AnnotatedFrameDataset):
    """JHMDB-Sentences: one frame of each video is asked for.

    For evaluation only (ReferFormer, Appendix B).

    ::

        <data_root>/Rename_Images/<action>/<video>/<%05d from 1>.png
        <data_root>/puppet_mask/<action>/<video>/puppet_mask.mat
        <data_root>/jhmdb_sentences_samples_metadata.json

    The JSON is a list of rows (video, path of the frame, path of the masks,
    number of frames, expression). Paths count from ``Rename_Images`` and
    ``puppet_mask`` on, whatever stands before: the published list names a
    folder of its makers. References are named ``v_<video>_f_<frame>``.

    Args:
        data_root: Folder of the data set.
        kwargs: See :class:`BaseReferringDataset`; ``test_mode`` is on.
    """

    def __init__(self, data_root: str, **kwargs: Any) -> None:
        kwargs.setdefault('test_mode', True)
        super().__init__(data_root=data_root, **kwargs)

    @property
    def rows_file(self) -> Path:
        return Path(self.data_root) / ROWS_FILE

    def parse_row(
        self, name: str, row: Any
    ) -> Optional[Tuple[Place, Reference]]:
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
        self, key: Place, rows: List[Tuple[str, Reference]]
    ) -> Dict[str, Any]:
        video, frame, masks, count = key
        root = Path(self.data_root)
        described = {
            'frame_id': PurePosixPath(frame).stem,
            'img_path': str(root / frame),
            'video_length': count,
        }
        if self.with_masks:
            described['mat_path'] = str(root / masks)
            described['mat_index'] = number_of(frame) - 1
            described['named_by'] = {PERSON: f'{self.rows_file}, {rows[0][0]}'}
        return self.describe_video(video, described, rows)

    def list_frames(
        self, annotated: Dict[str, Any]
    ) -> Tuple[List[Dict[str, Any]], int]:
        """All frames of the video's folder."""
        folder = Path(annotated['img_path']).parent
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


def is_row(row: Any) -> bool:
    """Whether a row names a frame, its masks, and the video's length."""
    if not isinstance(row, (list, tuple)) or len(row) != 5:
        return False
    video, frame, masks, count, _ = row
    return (
        all(isinstance(part, str) and part for part in (video, frame, masks))
        and below(frame, FRAMES) != ''
        and below(masks, MASKS) != ''
        and str(count).isdigit()
        and 0 < number_of(frame) <= int(count)
    )


def below(path: str, folder: str) -> str:
    """A path from a folder in it on; '' where it is not in there."""
    parts = PurePosixPath(path).parts
    if folder not in parts or '..' in parts:
        return ''
    return str(PurePosixPath(*parts[parts.index(folder) :]))


def number_of(frame: str) -> int:
    """A frame's number by its file name; 0 where it is none."""
    stem = PurePosixPath(frame).stem
    return int(stem) if stem.isdigit() else 0


def check_layout(data_root: str) -> List[str]:
    """List what a folder lacks of JHMDB-Sentences.

    The list, and the frames and masks that it names. Only names are looked
    at.

    Args:
        data_root: Folder of the data set.

    Returns:
        One line each: the path and what belongs there.
    """
    root = Path(data_root)
    return check_rows_layout(
        root, 'JHMDB-Sentences', [root / ROWS_FILE], is_row, files_of_row
    )


def files_of_row(row: Any) -> Dict[str, str]:
    """The files that a row needs, and what they are."""
    _, frame, masks, count, _ = row
    folder = PurePosixPath(below(frame, FRAMES)).parent
    frames = [f'{number:05d}.png' for number in range(1, int(count) + 1)]
    return {
        **{str(folder / name): 'frame of a video' for name in frames},
        below(masks, MASKS): 'masks of a video',
    }
