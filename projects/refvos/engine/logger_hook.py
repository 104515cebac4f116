"""The log of a run on several processes."""

from typing import Dict, Optional

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner


@HOOKS.register_module()
class MasterLoggerHook(LoggerHook):
    """LoggerHook that writes the test-score file on rank 0 only.

    With mmengine's hook all ranks write the same file at once, which
    corrupts it.
    """

    @master_only
    def after_test_epoch(
        self, runner: Runner, metrics: Optional[Dict[str, float]] = None
    ) -> None:
        """Log the scores and write them as JSON."""
        super().after_test_epoch(runner, metrics)
