"""Check what is loaded before a model is tested, trained or resumed."""

import logging
import re
from typing import Any, Dict

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from ..io.weights import check_fit, checkpoint_weights
from .checkpoint_hook import refuse_published
from .drop_keys_hook import DropKeysHook
from .resume_check import check_resumable, overridden


@HOOKS.register_module()
class CheckpointFitsHook(Hook):
    """Refuse checkpoints that are not those of the config's model.

    mmengine loads what fits, leaves the rest as it was drawn, and goes on.
    What a :class:`DropKeysHook` leaves out may be missing where a training
    starts. Where one is resumed, the checkpoint must hold its state, too;
    a line says which settings of the config it overrides.

    Args:
        allow_missing: Take weights that are not all of the model, or more.
    """

    # Before hooks that change what was loaded.
    priority = 'HIGHEST'

    def __init__(self, allow_missing: bool = False) -> None:
        self.allow_missing = allow_missing

    def after_load_checkpoint(
        self, runner: Any, checkpoint: Dict[str, Any]
    ) -> None:
        """Compare weights and state with the runner's."""
        source = runner._load_from
        refuse_published(checkpoint, source)
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        training = isinstance(runner._train_loop, BaseLoop)
        dropped = [
            prefix
            for hook in runner.hooks
            if isinstance(hook, DropKeysHook)
            for prefix in hook.prefixes
        ]
        told = check_fit(
            {
                # As mmengine does.
                re.sub(r'^module\.', '', key): value
                for key, value in checkpoint_weights(
                    checkpoint, source
                ).items()
            },
            model.state_dict(),
            source,
            dropped if training and not runner._resume else (),
            self.allow_missing,
        )
        if training and runner._resume:
            check_resumable(runner, checkpoint, source)
            told += overridden(runner, checkpoint)
        for line in told:
            print_log(line, logger='current', level=logging.WARNING)
