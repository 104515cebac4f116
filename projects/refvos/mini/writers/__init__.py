"""Writers of RefVOS-Mini, one per layout of the real data sets."""

from typing import Dict, Type

from .a2d import A2DWriter
from .avsbench import MS3Writer, S4Writer
from .base import Writer
from .jhmdb import JHMDBWriter
from .mevis import MeViSWriter
from .ref_davis17 import RefDAVIS17Writer
from .ref_youtube_vos import RefYouTubeVOSWriter
from .refcoco import RefCOCOWriter

WRITERS: Dict[str, Type[Writer]] = {
    'ref-youtube-vos': RefYouTubeVOSWriter,
    'a2d': A2DWriter,
    'jhmdb': JHMDBWriter,
    'refcoco': RefCOCOWriter,
    'ref-davis17': RefDAVIS17Writer,
    'mevis': MeViSWriter,
    'avsbench-s4': S4Writer,
    'avsbench-ms3': MS3Writer,
}

__all__ = [
    'WRITERS',
    'A2DWriter',
    'JHMDBWriter',
    'MS3Writer',
    'MeViSWriter',
    'RefCOCOWriter',
    'RefDAVIS17Writer',
    'RefYouTubeVOSWriter',
    'S4Writer',
    'Writer',
]
