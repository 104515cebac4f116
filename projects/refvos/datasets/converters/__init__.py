"""Convert raw data sets to the layouts that the data sets read."""

from .ref_davis17 import convert_ref_davis17

__all__ = ['convert_ref_davis17']
