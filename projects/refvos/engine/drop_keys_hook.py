"""Leave parts of a checkpoint out when training starts from it."""

import logging
from typing import Sequence

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop


@HOOKS.register_module()
class DropKeysHook(Hook):
    """Drop weights of ``load_from`` whose names begin with given prefixes.

    These parts keep their initial values: ReferFormer re-initialises its
    class branches when it is fine-tuned from pre-training (published code).
    The hook acts only where a training starts from other weights, not when
    it is resumed and not when a checkpoint is tested.

    Args:
        prefixes: Beginnings of names, e.g. ``'class_branches.'``.

    Example:
        >>> custom_hooks = [
        ...     dict(type='DropKeysHook', prefixes=['class_branches.'])]
    """

    def __init__(self, prefixes: Sequence[str]) -> None:
        self.prefixes = tuple(prefixes)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the weights out before they reach the model."""
        # The loop is built when training begins; before, it is a dict.
        training = isinstance(runner._train_loop, BaseLoop)
        if runner._resume or not training:
            return
        weights = checkpoint.get('state_dict', checkpoint)
        for prefix in self.prefixes:
            names = [
                name
                for name in weights
                if name.removeprefix('module.').startswith(prefix)
            ]
            for name in names:
                del weights[name]
            # Nothing was dropped: the prefix may be mistyped, so warn.
            print_log(
                f'Not loaded, re-initialised: {len(names)} weights {prefix}*',
                logger='current',
                level=logging.INFO if names else logging.WARNING,
            )
