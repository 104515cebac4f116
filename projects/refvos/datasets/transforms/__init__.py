from .clip import SampleClip
from .frames import SwapSidesInText, TransformFrames, swap_sides
from .loading import LoadFrames, LoadTubes
from .packing import PackRefInputs

__all__ = [
    'LoadFrames',
    'LoadTubes',
    'PackRefInputs',
    'SampleClip',
    'SwapSidesInText',
    'TransformFrames',
    'swap_sides',
]
