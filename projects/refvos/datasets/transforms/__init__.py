from .clip import SampleClip
from .frames import (
    RoundPixels,
    SwapSidesInText,
    TransformFrames,
    swap_sides,
)
from .loading import LoadFrames, LoadTubes
from .packing import PackRefInputs

__all__ = [
    'LoadFrames',
    'LoadTubes',
    'PackRefInputs',
    'RoundPixels',
    'SampleClip',
    'SwapSidesInText',
    'TransformFrames',
    'swap_sides',
]
