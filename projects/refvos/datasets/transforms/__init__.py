from .clip import SampleClip
from .frames import (
    RoundPixels,
    SwapSidesInText,
    TransformFrames,
    swap_sides,
)
from .loading import LoadFrames, LoadTubes
from .packing import PackRefInputs
from .pseudo_clip import MakePseudoClip

__all__ = [
    'LoadFrames',
    'LoadTubes',
    'MakePseudoClip',
    'PackRefInputs',
    'RoundPixels',
    'SampleClip',
    'SwapSidesInText',
    'TransformFrames',
    'swap_sides',
]
