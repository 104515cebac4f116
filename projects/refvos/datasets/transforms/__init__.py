from .clip import SampleClip, SampleWindow
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
    'SampleWindow',
    'SwapSidesInText',
    'TransformFrames',
    'swap_sides',
]
