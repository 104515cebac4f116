"""Start parts of a model from files that are theirs."""

import re

from mmengine.logging import print_log
from mmengine.model.weight_init import PretrainedInit, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from ..errors import InputError
from .weights import checkpoint_weights


@WEIGHT_INITIALIZERS.register_module(name='Pretrained', force=True)
class CheckedPretrainedInit(PretrainedInit):
    """mmengine's ``Pretrained``, which takes files of anything.

    A backbone's file holds more (a classifier) and may hold less (norms of
    its outputs), but must hold something of it.
    """

    def __call__(self, module: nn.Module) -> None:
        """Load the weights.

        Raises:
            InputError: None of them is the module's.
        """
        content = CheckpointLoader.load_checkpoint(
            self.checkpoint, self.map_location
        )
        prefix = self.prefix or ''
        if prefix and not prefix.endswith('.'):
            prefix += '.'
        weights = {
            re.sub(r'^module\.', '', key[len(prefix) :]): value
            for key, value in checkpoint_weights(
                content, self.checkpoint
            ).items()
            if key.startswith(prefix)
        }
        own = module.state_dict()
        if not any(
            key in own and value.shape == own[key].shape
            for key, value in weights.items()
        ):
            raise InputError.of(
                self.checkpoint,
                f'weights {prefix}*',
                list(weights),
                f'some of a {type(module).__name__}, such as '
                f'{next(iter(own), None)}',
            )
        print_log(f'load {prefix}* from: {self.checkpoint}', logger='current')
        load_state_dict(module, weights, strict=False, logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())
