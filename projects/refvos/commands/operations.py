"""Count floating-point operations, module by module."""

from collections.abc import Callable
from typing import Any, Dict, Tuple

import torch
from mmcv.ops import MultiScaleDeformableAttention
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

Counts = Dict[str, int]


class Phase(nn.Module):
    """Call a function from a module, so that the counter names the model.

    torch names modules relative to the first one that is called, and
    ``encode_video`` is a method.

    Args:
        model: The model whose modules the function calls.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[[], Any]) -> Any:
        return function()


def attention_on_cpu(query: Any, key: Any, value: Any, *_: Any, **__: Any):
    """Count fused attention on CPUs, as torch does on GPUs only."""
    return sdpa_flop_count(query, key, value)


def deformable_sampling(
    module: MultiScaleDeformableAttention, query: Tensor
) -> int:
    """Count the operations of sampling, without the linear layers around it.

    mmcv samples with ``grid_sample`` on CPUs and with an operation of its own
    on GPUs; the formula holds for both.

    Args:
        module: The attention, which has levels and points.
        query: (B, Lq, C), or (Lq, B, C).
    """
    return 10 * query.numel() * module.num_levels * module.num_points


def count(
    model: nn.Module, function: Callable[[], Any], grad: bool = False
) -> Tuple[Counts, Any]:
    """Count the operations of a function for each module of a model.

    Args:
        model: The model whose modules the function calls.
        function: Called once.
        grad: Whether it needs gradients.

    Returns:
        Operations by the name of the module, ``''`` for all; and what the
        function returned.
    """
    aten = torch.ops.aten
    formula = {
        aten._scaled_dot_product_flash_attention_for_cpu: attention_on_cpu
    }
    counter = FlopCounterMode(display=False, custom_mapping=formula)

    def add_sampling(module: Any, args: tuple, kwargs: dict) -> None:
        query = args[0] if args else kwargs['query']
        amount = deformable_sampling(module, query)
        # The counter's own hook has run: it adds the name of the module.
        for name in counter.mod_tracker.parents:
            counter.flop_counts[name]['deformable_sampling'] += amount

    hooks = [
        module.register_forward_pre_hook(add_sampling, with_kwargs=True)
        for module in model.modules()
        if isinstance(module, MultiScaleDeformableAttention)
    ]
    # The fast path is a single operation that cannot be counted.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    # The counter fails on a view of a weight (such as MTI's queries) that
    # requires a gradient while gradients are off.
    trained = [p for p in model.parameters() if p.requires_grad and not grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        with counter, torch.set_grad_enabled(grad):
            result = Phase(model)(function)
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        torch.backends.mha.set_fastpath_enabled(fast)
        for hook in hooks:
            hook.remove()
    prefix = f'{Phase.__name__}.model.'
    counts = {'': sum(counter.flop_counts['Global'].values())}
    for name, operations in counter.flop_counts.items():
        if name.startswith(prefix):
            counts[name[len(prefix) :]] = sum(operations.values())
    return counts, result
