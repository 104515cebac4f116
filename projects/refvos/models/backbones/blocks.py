"""Helpers for the blocks and stages of backbones."""

from typing import Any, Iterable

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def run_block(block: Any, x: Tensor, *args: Any, with_cp: bool) -> Tensor:
    """Run a block, with gradient checkpointing if ``with_cp``.

    Args:
        block: Called with ``x`` and ``args``.
        x: Input features.
        args: Further arguments of the block.
        with_cp: Keep only the input and recompute the block in the backward
            pass.
    """
    if with_cp and x.requires_grad:
        return checkpoint(block, x, *args, use_reentrant=False)
    return block(x, *args)


def freeze(parts: Iterable[nn.Module]) -> None:
    """Freeze parts: no gradients, and evaluation mode (no dropout)."""
    for part in parts:
        part.eval().requires_grad_(False)
