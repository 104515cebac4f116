"""One writer a layout: RefVOS-Mini on disk as the real data sets are."""

from typing import Dict, Type

from .base import Writer
from .mevis import MeViSWriter
from .ref_davis17 import RefDAVIS17Writer
from .ref_youtube_vos import RefYouTubeVOSWriter

WRITERS: Dict[str, Type[Writer]] = {
    'ref-youtube-vos': RefYouTubeVOSWriter,
    'ref-davis17': RefDAVIS17Writer,
    'mevis': MeViSWriter,
}

__all__ = [
    'WRITERS',
    'MeViSWriter',
    'RefDAVIS17Writer',
    'RefYouTubeVOSWriter',
    'Writer',
]
