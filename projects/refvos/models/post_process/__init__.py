from .sam2_propagation import SAM2Propagation

__all__ = ['SAM2Propagation']
