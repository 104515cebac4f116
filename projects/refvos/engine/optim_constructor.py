"""Build few parameter groups for the optimizer."""

from typing import Dict, List, Optional, Tuple, Union

import torch.nn as nn
from mmdet.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.optim import DefaultOptimWrapperConstructor


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Put all parameters with the same options into one group.

    MMEngine makes one group per parameter as soon as ``paramwise_cfg`` is
    given, and optimizers take one step (fused or ``foreach``) per group.
    Groups are in the order in which their options first occur.
    """

    def add_params(
        self,
        params: List[dict],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: Optional[Union[int, float]] = None,
    ) -> None:
        """Add a module's parameters to ``params``; see the base class."""
        if prefix:
            # A recursive call of the base class.
            super().add_params(params, module, prefix, is_dcn_module)
            return
        single: List[dict] = []
        super().add_params(single, module, prefix, is_dcn_module)
        groups: Dict[Tuple, dict] = {}
        for group in single:
            options = {k: v for k, v in group.items() if k != 'params'}
            key = tuple(sorted(options.items()))
            groups.setdefault(key, {**options, 'params': []})
            groups[key]['params'] += group['params']
        params.extend(groups.values())
