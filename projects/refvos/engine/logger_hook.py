"""The log of a run on several processes."""

from typing import Dict, Optional

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner


@HOOKS.register_module()
class MasterLoggerHook(LoggerHook):
    """mmengine's logger, whose file of test scores one process writes.

    There every process writes the same file at the same time; the times in
    it differ in length, and what is left of two of them can't be read.
    """

    @master_only
    def after_test_epoch(
        self, runner: Runner, metrics: Optional[Dict[str, float]] = None
    ) -> None:
        """Log the scores and write them as JSON."""
        super().after_test_epoch(runner, metrics)
