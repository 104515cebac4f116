"""One writer a layout: RefVOS-Mini on disk as the real data sets are."""

from typing import Dict, Type

from .a2d import A2DWriter
from .base import Writer
from .jhmdb import JHMDBWriter
from .ref_youtube_vos import RefYouTubeVOSWriter
from .refcoco import RefCOCOWriter

WRITERS: Dict[str, Type[Writer]] = {
    'ref-youtube-vos': RefYouTubeVOSWriter,
    'a2d': A2DWriter,
    'jhmdb': JHMDBWriter,
    'refcoco': RefCOCOWriter,
}

__all__ = [
    'WRITERS',
    'A2DWriter',
    'JHMDBWriter',
    'RefCOCOWriter',
    'RefYouTubeVOSWriter',
    'Writer',
]
