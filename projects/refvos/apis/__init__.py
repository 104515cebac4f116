from .inferencer import RefVOSInferencer
from .results import InferenceResult
from .video_reader import Video, read_video

__all__ = ['InferenceResult', 'RefVOSInferencer', 'Video', 'read_video']
