"""Read and write files and media; everything that does stands on this.

Importing it registers the file backend and the safe checkpoint loaders.
"""

from . import atomic, safe_checkpoint

__all__ = ['atomic', 'safe_checkpoint']
