"""Helpers for the blocks and stages of backbones."""

from typing import Any, Iterable, TypeVar

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Backbone = TypeVar('Backbone', bound='FreezableStages')


def run_block(block: Any, x: Tensor, *args: Any, with_cp: bool) -> Tensor:
    """Run a block, with gradient checkpointing if ``with_cp``.

    Args:
        block: Called with ``x`` and ``args``.
        x: Input features.
        args: Further arguments of the block.
        with_cp: Keep only the input, and recompute the block in the backward
            pass.
    """
    if with_cp and x.requires_grad:
        return checkpoint(block, x, *args, use_reentrant=False)
    return block(x, *args)


def freeze(parts: Iterable[nn.Module]) -> None:
    """Freeze parts: no gradients, and evaluation mode (no dropout)."""
    for part in parts:
        part.eval().requires_grad_(False)


class FreezableStages(nn.Module):
    """Mixin that keeps the first stages of a backbone frozen.

    It must be the first base class. ``__init__`` must set ``frozen_stages``
    and call :meth:`freeze_stages` at its end: a distributed wrapper collects
    the trained parameters before the first ``train()``.

    Attributes:
        frozen_stages: -1 freezes nothing; other values define the result of
            :meth:`frozen_parts`.
    """

    frozen_stages: int

    def frozen_parts(self) -> Iterable[nn.Module]:
        """Return the modules to freeze; called if ``frozen_stages`` >= 0."""
        raise NotImplementedError

    def freeze_stages(self) -> None:
        """Freeze the parts, which stay in evaluation mode."""
        if self.frozen_stages >= 0:
            freeze(self.frozen_parts())

    def train(self: Backbone, mode: bool = True) -> Backbone:
        """Set the mode of all parts that are not frozen."""
        super().train(mode)
        self.freeze_stages()
        return self
