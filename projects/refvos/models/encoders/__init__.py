from .log_mel import examples_per_second, silent_examples, vggish_log_mel
from .sound import SoundEncoder
from .text import TextEncoder

__all__ = [
    'SoundEncoder',
    'TextEncoder',
    'examples_per_second',
    'silent_examples',
    'vggish_log_mel',
]
