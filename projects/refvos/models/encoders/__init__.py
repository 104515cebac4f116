from .text import TextEncoder

__all__ = ['TextEncoder']
