"""Let no loader worker outlive its training."""

from collections.abc import Callable
from functools import partial
from typing import Any, Optional

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop

from ..processes import end_with_parent


@HOOKS.register_module()
class EndWorkersHook(Hook):
    """End the data loaders' workers when the process itself is killed.

    torch's own workers look for their parent, too, but then wait for a
    reader of what they have loaded.
    """

    def before_run(self, runner: Any) -> None:
        """Watch the workers of loaders that exist by now."""
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            # Until it is needed, a loop is a dict.
            if isinstance(loop, BaseLoop) and loop.dataloader.num_workers:
                loader = loop.dataloader
                loader.worker_init_fn = partial(
                    start_watched, loader.worker_init_fn
                )


def start_watched(
    start: Optional[Callable[[int], None]], worker_id: int
) -> None:
    """Prepare a worker, and watch its parent."""
    end_with_parent()
    if start is not None:
        start(worker_id)
