"""The check of RefVOS-Mini: Ref-YouTube-VOS's layout, all with masks."""

from pathlib import Path
from typing import Any, Dict, List

from .ref_youtube_vos import SPLITS, missing_of_video, read_list


def check_layout(data_root: str) -> List[str]:
    """List the files that a folder of RefVOS-Mini lacks, by name.

    Its other layouts are checked under the names of their benchmarks.

    Args:
        data_root: Folder of the data set.

    Returns:
        One line per file or folder: the path and what belongs there.
    """
    root = Path(data_root)
    if not root.is_dir():
        return [f'{root}: folder of RefVOS-Mini']
    missing: List[str] = []
    for split in SPLITS:
        lists: Dict[str, Dict[str, Any]] = {}
        file = root / 'meta_expressions' / split / 'meta_expressions.json'
        missing += read_list(file, split, lists)
        missing += read_list(root / split / 'meta.json', 'objects', {})
        for name, video in lists.get(split, {}).items():
            missing += missing_of_video(root / split, name, video, True)
    return missing
