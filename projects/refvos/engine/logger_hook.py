"""The log of a run on several processes."""

from typing import Dict, Optional

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import LoggerHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader


@HOOKS.register_module()
class MasterLoggerHook(LoggerHook):
    """LoggerHook that writes the test-score file on rank 0 only.

    With mmengine's hook all ranks write the same file at once, which
    corrupts it.

    A training that counts iterations is logged at multiples of the interval
    only; mmengine's logger adds the end of each pass over a small data set.
    """

    counts_epochs = True

    def before_train(self, runner: Runner) -> None:
        self.counts_epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)

    def end_of_epoch(self, dataloader: DataLoader, batch_idx: int) -> bool:
        """Whether a batch is the last of an epoch, where there are epochs."""
        return self.counts_epochs and super().end_of_epoch(
            dataloader, batch_idx
        )

    @master_only
    def after_test_epoch(
        self, runner: Runner, metrics: Optional[Dict[str, float]] = None
    ) -> None:
        """Log the scores and write them as JSON."""
        super().after_test_epoch(runner, metrics)
