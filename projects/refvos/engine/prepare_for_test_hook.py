"""Prepare a model for fast testing."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class PrepareForTestHook(Hook):
    """Call the model's ``prepare_for_test`` when its weights are loaded.

    Use it only in runs that test: a prepared model cannot be trained any
    more.
    """

    def before_test(self, runner: Runner) -> None:
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        # Models of other code bases lack it.
        prepare = getattr(model, 'prepare_for_test', None)
        if prepare is not None:
            prepare()
