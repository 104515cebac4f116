"""Generate RefVOS-Mini, a synthetic data set.

Scene (pure data) -> rendering (frames, exact masks) -> expressions (each
proven to fit one object) -> writers (one per layout).
"""

from .expressions import Expression
from .make import make_mini
from .scene import Scene, SceneObject
from .video import MiniVideo, make_video

__all__ = [
    'Expression',
    'MiniVideo',
    'Scene',
    'SceneObject',
    'make_mini',
    'make_video',
]
