"""What a layout's writer does."""

from pathlib import Path
from typing import Any, ClassVar, Dict, Optional, Sequence, Tuple

from ..video import MiniVideo

Record = Dict[str, Any]


class Writer:
    """Writes videos one by one, then what lists them.

    Args:
        root: The data set's folder.
    """

    # What it makes in the root, so that a set can be made anew.
    made: ClassVar[Tuple[str, ...]]
    # The scenes that it needs, one of ``SCENES``; None for those asked for.
    scenes: ClassVar[Optional[str]] = None

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def write_video(self, split: str, video: MiniVideo) -> Record:
        """Write a video's own files; runs in a worker process.

        Returns:
            What the split's lists need of it: plain data.
        """
        raise NotImplementedError

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        """Write a split's lists, from its videos' records in order."""
        raise NotImplementedError
