"""Read and write files and media.

Importing the package registers the file backend, the safe checkpoint loaders
and the initialiser that uses them.
"""

from . import atomic, pretrained, safe_checkpoint

__all__ = ['atomic', 'pretrained', 'safe_checkpoint']
