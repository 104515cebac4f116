from .ref_data_sample import RefDataSample
from .reference import Reference, ReferencePrediction, Rle

__all__ = ['RefDataSample', 'Reference', 'ReferencePrediction', 'Rle']
