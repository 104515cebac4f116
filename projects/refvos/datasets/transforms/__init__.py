from .category_map import LoadCategoryMap, PackCategoryMap
from .clip import SampleClip, SampleConsecutive, SampleWindow
from .frames import RoundPixels, SwapSidesInText, TransformFrames, swap_sides
from .loading import LoadFrames, LoadTubes
from .packing import PackRefInputs
from .pseudo_clip import MakePseudoClip
from .sound import LoadSound, PackSoundCategory

__all__ = [
    'LoadCategoryMap',
    'LoadFrames',
    'LoadSound',
    'LoadTubes',
    'MakePseudoClip',
    'PackCategoryMap',
    'PackRefInputs',
    'PackSoundCategory',
    'RoundPixels',
    'SampleClip',
    'SampleConsecutive',
    'SampleWindow',
    'SwapSidesInText',
    'TransformFrames',
    'swap_sides',
]
