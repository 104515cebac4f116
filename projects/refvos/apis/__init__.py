from .inferencer import RefVOSInferencer
from .results import InferenceResult
from .session import VideoSession
from .video_reader import Video, read_video

__all__ = [
    'InferenceResult',
    'RefVOSInferencer',
    'Video',
    'VideoSession',
    'read_video',
]
