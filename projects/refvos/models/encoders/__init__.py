from .sound import SoundEncoder
from .text import TextEncoder

__all__ = ['SoundEncoder', 'TextEncoder']
