"""Referring video object segmentation on MMEngine and mmdet.

Importing the package registers its parts in mmdet's registries.
"""

from . import quiet  # before mmdet is imported

# isort: split
from . import datasets, engine, evaluation, io, models, visualization
from .version import __version__

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
