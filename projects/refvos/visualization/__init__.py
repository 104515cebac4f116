from .overlay import (
    distinct_colors,
    draw_overlay,
    evenly_spaced,
    label_band,
    make_strip,
)
from .sound import moment_of, sound_band
from .video_writer import write_image, write_strip, write_video
from .visualization_hook import RefVOSVisualizationHook
from .visualizer import RefVOSVisualizer

__all__ = [
    'RefVOSVisualizationHook',
    'RefVOSVisualizer',
    'distinct_colors',
    'draw_overlay',
    'evenly_spaced',
    'label_band',
    'make_strip',
    'moment_of',
    'sound_band',
    'write_image',
    'write_strip',
    'write_video',
]
