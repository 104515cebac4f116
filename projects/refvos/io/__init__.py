"""Read and write files and media.

Importing the package registers the file backend and the safe checkpoint
loaders.
"""

from . import atomic, safe_checkpoint

__all__ = ['atomic', 'safe_checkpoint']
