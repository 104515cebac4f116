from .references import encode_modalities
from .sound import SoundEncoder
from .text import TextEncoder

__all__ = ['SoundEncoder', 'TextEncoder', 'encode_modalities']
