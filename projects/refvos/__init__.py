"""Referring video object segmentation on MMEngine and mmdet.

Importing the package registers its parts in mmdet's registries.
"""

from .uncaught import interrupts_in_one_line
from .version import __version__

with interrupts_in_one_line():
    from . import quiet  # before mmdet is imported

    # isort: split
    from . import datasets, engine, evaluation, io, models, visualization

__all__ = [
    '__version__',
    'datasets',
    'engine',
    'evaluation',
    'io',
    'models',
    'quiet',
    'visualization',
]
