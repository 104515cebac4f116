"""Base class of the writers."""

from pathlib import Path
from typing import Any, ClassVar, Dict, Optional, Sequence, Tuple

from ..video import MiniVideo

Record = Dict[str, Any]


class Writer:
    """Write videos one by one, then the lists of a split.

    Args:
        root: The data set's folder.
    """

    # Names of all that it writes to the root, to be removed with a set.
    made: ClassVar[Tuple[str, ...]]
    # The scenes that it needs, one of ``SCENES``; None for the argument's.
    scenes: ClassVar[Optional[str]] = None

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def write_video(self, split: str, video: MiniVideo) -> Record:
        """Write a video's own files; runs in a worker process.

        Returns:
            Plain data for the split's lists.
        """
        raise NotImplementedError

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        """Write a split's lists, from its videos' records in order."""
        raise NotImplementedError
