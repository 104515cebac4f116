"""Keep the run-length encoded masks of a whole data set in memory."""

from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from ..errors import InputError
from ..structures import Rle
from .data_files import load_json
from .outlines import compress_rle


class MaskStore:
    """Store tubes by name, encoded as on disk; nothing is decoded.

    All encodings lie end to end in one array. As Python objects they would
    take several times their size, once more in every worker of a data
    loader: counting references to an object copies the page it lies on.

    Args:
        file: JSON, name -> a list over the frames of COCO RLEs, or null in
            frames without the object (MeViS's ``mask_dict.json``).

    Raises:
        InputError: The file is missing or has other content.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        # Name -> the index of its first mask in ``ends`` and ``sizes``.
        self.first: Dict[str, int] = {}
        self.lengths: Dict[str, int] = {}
        sizes: List[Any] = []
        ends = [0]
        buffer = bytearray()
        content = read_tubes(file)
        for name in list(content):
            tube = content.pop(name)
            self.first[name] = len(sizes)
            self.lengths[name] = len(tube)
            for frame, mask in enumerate(tube):
                if mask is not None:
                    mask = checked_rle(mask, file, f'{name}[{frame}]')
                    buffer += mask['counts']
                sizes.append(mask['size'] if mask else (0, 0))
                ends.append(len(buffer))
        self.ends = np.array(ends, np.int64)
        self.sizes = np.array(sizes, np.int32).reshape(-1, 2)
        self.buffer = np.frombuffer(bytes(buffer), np.uint8)

    def __contains__(self, name: str) -> bool:
        return name in self.first

    def num_frames(self, name: str) -> int:
        """Return the length of a tube in frames."""
        return self.lengths[name]

    def is_drawn(self, name: str) -> bool:
        """Tell whether an object has a mask in any frame."""
        first = self.first[name]
        return bool(self.ends[first + self.lengths[name]] > self.ends[first])

    def get(self, name: str, frame: int) -> Optional[Rle]:
        """Return an object's mask in a frame; None if it has none."""
        index = self.first[name] + frame
        start, end = self.ends[index], self.ends[index + 1]
        if start == end:
            return None
        height, width = self.sizes[index].tolist()
        counts = self.buffer[start:end].tobytes()
        return {'size': [height, width], 'counts': counts}


def read_tubes(file: Path) -> Dict[str, List[Any]]:
    """Read name -> list over the frames; raise InputError otherwise."""
    content = load_json(file, 'masks by annotation id')
    if not isinstance(content, dict):
        raise InputError.of(file, 'content', content, 'masks by annotation id')
    for name, tube in content.items():
        if not isinstance(tube, list):
            raise InputError.of(file, name, tube, 'a list over frames')
    return content


def checked_rle(mask: Any, file: Path, field: str) -> Dict[str, Any]:
    """Check an RLE of the file and compress it; its counts are bytes.

    Raises:
        InputError: It is not a COCO RLE; the message names file and field.
    """
    try:
        if not mask['counts']:
            raise ValueError('no counts')
        return compress_rle(mask)
    except (KeyError, TypeError, ValueError):
        raise InputError.of(
            file, field, mask, 'size and counts (COCO RLE) or null'
        ) from None
