"""Base class of data sets that annotate single frames of their videos."""

import os
from collections import defaultdict
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Hashable,
    Iterable,
    List,
    Optional,
    Tuple,
    TypeVar,
)

from ..errors import InputError
from ..io.data_files import load_json
from ..structures import Reference
from .base import BaseReferringDataset

Key = TypeVar('Key', bound=Hashable)
Row = TypeVar('Row')


class AnnotatedFrameDataset(BaseReferringDataset):
    """Base class of A2D-Sentences and JHMDB-Sentences.

    A JSON file lists rows, each with an expression for an object in one
    frame. A subclass gives the file, parses rows, and describes annotated
    frames.

    The listed items hold their annotated frame only. :meth:`prepare_data`
    adds all frames of the video and ``annotated_frame``, the index of the
    annotated one, for :class:`SampleWindow`.
    """

    @property
    def rows_file(self) -> Path:
        """Path of the JSON file with the rows."""
        raise NotImplementedError

    def parse_row(
        self, name: str, row: Any
    ) -> Optional[Tuple[Hashable, Reference]]:
        """Parse a row.

        Args:
            name: Name of the row for messages.
            row: The row as in the file.

        Returns:
            The key of the annotated frame and the reference; None (and a
            note) if the row cannot be used.
        """
        raise NotImplementedError

    def make_video(
        self, key: Any, rows: List[Tuple[str, Reference]]
    ) -> Dict[str, Any]:
        """Describe the video of an annotated frame, see :meth:`load_videos`.

        Args:
            key: The frame's key, from :meth:`parse_row`.
            rows: Names and references of the frame's rows.
        """
        raise NotImplementedError

    def load_videos(self) -> List[Dict[str, Any]]:
        rows = []
        for number, row in enumerate(read_rows(self.rows_file)):
            name = f'row {number}'
            parsed = self.parse_row(name, row)
            if parsed is not None:
                key, reference = parsed
                rows.append((key, (name, reference)))
        return [
            self.make_video(key, group)
            for key, group in group_rows(rows).items()
        ]

    def describe_video(
        self,
        video: str,
        frame: Dict[str, Any],
        rows: List[Tuple[str, Reference]],
    ) -> Dict[str, Any]:
        """Describe a video of which one frame is known so far."""
        return {
            'video_id': video,
            'frame_ids': [frame['frame_id']],
            'frames': [frame],
            'references': [reference for _, reference in rows],
            'labels': {},
        }

    def list_frames(
        self, annotated: Dict[str, Any]
    ) -> Tuple[List[Dict[str, Any]], int]:
        """List all frames of a video; with the index of the annotated one."""
        raise NotImplementedError

    def prepare_data(self, idx: int) -> Any:
        """Add the video's other frames and run the pipeline."""
        item = self.get_data_info(idx)
        (annotated,) = item['frames']
        item['frames'], item['annotated_frame'] = self.list_frames(annotated)
        return self.check_blank(idx, self.pipeline(item))


def group_rows(
    rows: Iterable[Tuple[Key, Row]],
) -> Dict[Key, List[Row]]:
    """Group rows by frame, in the order of the list."""
    groups: Dict[Key, List[Row]] = defaultdict(list)
    for key, row in rows:
        groups[key].append(row)
    return groups


def read_rows(file: Path) -> List[Any]:
    """Read a JSON file that holds a list; else raise InputError."""
    content = load_json(file)
    if not isinstance(content, list):
        raise InputError.of(file, 'content', content, 'a list of rows')
    return content


def check_rows_layout(
    root: Path,
    benchmark: str,
    rows_files: Iterable[Path],
    is_row: Callable[[Any], bool],
    files_of_row: Callable[[Any], Dict[str, str]],
) -> List[str]:
    """List the files that a folder lacks, by name, one line per file.

    Args:
        root: Folder of the data set.
        benchmark: Name of the data set, for messages.
        rows_files: JSON files with the rows.
        is_row: Tells whether a row can be used.
        files_of_row: Returns the files of a row, path relative to ``root``
            -> what they hold.
    """
    if not root.is_dir():
        return [f'{root}: folder of {benchmark}']
    missing: List[str] = []
    for file in rows_files:
        if not file.exists():
            missing.append(f'{file}: file of the published data set')
            continue
        try:
            rows = read_rows(file)
        except InputError as error:
            missing.append(str(error))
            continue
        wanted: Dict[str, str] = {}
        for row in filter(is_row, rows):
            wanted.update(files_of_row(row))
        missing += [
            f'{root / name}: {what}'
            for name, what in wanted.items()
            if not os.path.isfile(root / name)
        ]
    # Several lists may name the same video.
    return list(dict.fromkeys(missing))
