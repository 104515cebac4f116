"""Data sets that annotate single frames of their videos."""

from collections import defaultdict
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Hashable,
    Iterable,
    List,
    Tuple,
    TypeVar,
)

from ..errors import InputError
from ..io.json_files import load_json
from .base import BaseReferringDataset

Key = TypeVar('Key', bound=Hashable)
Row = TypeVar('Row')


class AnnotatedFrameDataset(BaseReferringDataset):
    """A2D-Sentences and JHMDB-Sentences.

    An item knows its annotated frame alone until it is taken; then it gets
    all frames of the video and ``annotated_frame``, the index of the
    annotated one, for :class:`SampleWindow`.
    """

    def list_frames(
        self, annotated: Dict[str, Any]
    ) -> Tuple[List[Dict[str, Any]], int]:
        """All frames of the annotated one's video, and its index."""
        raise NotImplementedError

    def prepare_data(self, idx: int) -> Any:
        item = self.get_data_info(idx)
        (annotated,) = item['frames']
        item['frames'], item['annotated_frame'] = self.list_frames(annotated)
        return self.pipeline(item)


def group_rows(
    rows: Iterable[Tuple[Key, Row]],
) -> Dict[Key, List[Row]]:
    """Gather what belongs to one frame, in the order of the list."""
    groups: Dict[Key, List[Row]] = defaultdict(list)
    for key, row in rows:
        groups[key].append(row)
    return groups


def read_rows(file: Path) -> List[Any]:
    """Read a JSON list that must be there."""
    content = load_json(file)
    if not isinstance(content, list):
        raise InputError.of(file, 'content', content, 'a list of rows')
    return content


def missing_of_rows(
    file: Path,
    root: Path,
    is_row: Callable[[Any], bool],
    files_of_row: Callable[[Any], Dict[str, str]],
) -> List[str]:
    """Say which files named by a list a folder lacks, one line each.

    Args:
        file: The list.
        root: Folder of the data set.
        is_row: Whether a row can be used.
        files_of_row: Files relative to ``root`` -> what they are.
    """
    if not file.exists():
        return [f'{file}: file of the published data set']
    try:
        rows = read_rows(file)
    except InputError as error:
        return [str(error)]
    wanted: Dict[str, str] = {}
    for row in filter(is_row, rows):
        wanted.update(files_of_row(row))
    return [
        f'{root / name}: {what}'
        for name, what in wanted.items()
        if not (root / name).is_file()
    ]
