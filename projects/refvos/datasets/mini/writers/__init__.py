"""One writer a layout: RefVOS-Mini on disk as the real data sets are."""

from typing import Dict, Type

from .base import Writer
from .ref_youtube_vos import RefYouTubeVOSWriter
from .refcoco import RefCOCOWriter

WRITERS: Dict[str, Type[Writer]] = {
    'ref-youtube-vos': RefYouTubeVOSWriter,
    'refcoco': RefCOCOWriter,
}

__all__ = ['WRITERS', 'RefCOCOWriter', 'RefYouTubeVOSWriter', 'Writer']
