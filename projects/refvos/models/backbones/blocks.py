"""What backbones do with their blocks and stages."""

from typing import Any, Iterable

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def run_block(block: Any, x: Tensor, *args: Any, with_cp: bool) -> Tensor:
    """Run a block; with ``with_cp`` only its input is kept (checkpointing).

    Args:
        block: Called with ``x`` and ``args``.
        x: What is made anew.
        args: What else it takes.
        with_cp: Compute it once more in the backward pass.
    """
    if with_cp and x.requires_grad:
        return checkpoint(block, x, *args, use_reentrant=False)
    return block(x, *args)


def freeze(parts: Iterable[nn.Module]) -> None:
    """Train nothing of these; their dropout and stochastic depth are off."""
    for part in parts:
        part.eval().requires_grad_(False)
