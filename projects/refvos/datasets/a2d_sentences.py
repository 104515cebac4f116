"""A2D-Sentences (Gavrilyuk et al., CVPR 2018) in its published layout."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from mmdet.registry import DATASETS

from ..errors import InputError
from ..io.video_frames import count_video_frames
from ..structures import Reference
from .annotated_frames import AnnotatedFrameDataset, check_rows_layout
from .ref_youtube_vos import is_number

# The published set has no 'valid'; RefVOS-Mini has one.
SPLITS = ('train', 'valid', 'test')
VIDEOS = 'Release/clips320H'
MASKS = 'text_annotations/a2d_annotation_with_instances'


@DATASETS.register_module()
class A2DSentencesDataset(AnnotatedFrameDataset):
    """A2D-Sentences: a few frames of each video are annotated.

    ::

        <data_root>/Release/clips320H/<video>.mp4
        <data_root>/text_annotations/a2d_annotation_with_instances/
            <video>/<%05d of the frame>.h5
        <data_root>/a2d_sentences_single_frame_<split>_annotations.json

    The JSON is a list of rows (expression, video, frame from 1, instance).
    In training an item is a row; at test time it is an annotated frame with
    all its rows. References have the ids ``v_<video>_f_<frame>_i_<instance>``
    of the published list of the test set.

    Args:
        data_root: Folder of the data set.
        split: 'train', 'test', or RefVOS-Mini's 'valid'.
        kwargs: Arguments of :class:`BaseReferringDataset`.
    """

    def __init__(self, data_root: str, split: str, **kwargs: Any) -> None:
        if split not in SPLITS:
            raise InputError.of(
                type(self).__name__, 'split', split, f'one of {SPLITS}'
            )
        self.split = split
        super().__init__(data_root=data_root, **kwargs)

    @property
    def rows_file(self) -> Path:
        return rows_file(Path(self.data_root), self.split)

    def parse_row(
        self, name: str, row: Any
    ) -> Optional[Tuple[Tuple[str, int], Reference]]:
        if not is_row(row):
            self.skip(
                self.rows_file,
                name,
                row,
                'expression, video, frame from 1, instance',
            )
            return None
        text = self.usable_text(row[0], self.rows_file, name)
        if text is None:
            return None
        video, frame, instance = str(row[1]), int(row[2]), int(row[3])
        reference = Reference(
            id=f'v_{video}_f_{frame}_i_{instance}',
            text=text,
            object_ids=(str(instance),),
        )
        return (video, frame), reference

    def make_video(
        self, key: Tuple[str, int], rows: List[Tuple[str, Reference]]
    ) -> Dict[str, Any]:
        video, frame = key
        root = Path(self.data_root)
        annotated = {
            'frame_id': f'{frame:05d}',
            'video_path': str(root / VIDEOS / f'{video}.mp4'),
            'frame_index': frame - 1,
        }
        if self.with_masks:
            annotated['h5_path'] = str(
                root / MASKS / video / f'{frame:05d}.h5'
            )
            annotated['named_by'] = {
                reference.object_ids[0]: f'{self.rows_file}, {name}'
                for name, reference in rows
            }
        return self.describe_video(video, annotated, rows)

    def list_frames(
        self, annotated: Dict[str, Any]
    ) -> Tuple[List[Dict[str, Any]], int]:
        """List all frames of the video file, which is opened only here."""
        path, index = annotated['video_path'], annotated['frame_index']
        count = count_video_frames(path)
        if index >= count:
            raise InputError.of(
                path,
                'number of frames',
                count,
                f'at least {index + 1}: frame {annotated["frame_id"]} is '
                f'annotated ({self.rows_file})',
            )
        frames = [
            {
                'frame_id': f'{number + 1:05d}',
                'video_path': path,
                'frame_index': number,
            }
            for number in range(count)
        ]
        frames[index] = annotated
        return frames, index


def rows_file(root: Path, split: str) -> Path:
    """Return the path of a split's list of rows."""
    return root / f'a2d_sentences_single_frame_{split}_annotations.json'


def is_row(row: Any) -> bool:
    """Tell whether a row is expression, video, frame from 1, instance."""
    if not isinstance(row, (list, tuple)) or len(row) != 4:
        return False
    _, video, frame, instance = row
    return (
        isinstance(video, str)
        and video != ''
        and is_number(frame)
        and int(frame) > 0
        and is_number(instance)
    )


def check_layout(data_root: str) -> List[str]:
    """List the files that a folder of A2D-Sentences lacks.

    Checked are the lists of training and test, and the videos and masks that
    they name; by name, without opening them.

    Args:
        data_root: Folder of the data set.

    Returns:
        One line per file: the path and what belongs there.
    """
    root = Path(data_root)
    files = [rows_file(root, split) for split in ('train', 'test')]
    return check_rows_layout(
        root, 'A2D-Sentences', files, is_row, files_of_row
    )


def files_of_row(row: Any) -> Dict[str, str]:
    """Return the files of a row, relative path -> what they hold."""
    _, video, frame, _ = row
    return {
        f'{VIDEOS}/{video}.mp4': 'video',
        f'{MASKS}/{video}/{int(frame):05d}.h5': 'masks of a frame',
    }
