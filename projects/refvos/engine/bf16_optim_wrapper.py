"""Train in bfloat16, also on CPUs."""

from contextlib import contextmanager
from typing import Iterator

import torch
import torch.nn as nn
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.optim import OptimWrapper


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(OptimWrapper):
    """Run the forward pass under autocast to bfloat16.

    bfloat16 has the range of float32, so the loss is not scaled. mmengine's
    ``AmpOptimWrapper`` scales it and needs a GPU. Weights, gradients and the
    optimizer stay in float32.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter the context of the forward pass."""
        device_type = torch.device(get_device()).type
        precision = torch.autocast(device_type, torch.bfloat16)
        with super().optim_context(model), precision:
            yield
