"""Training loops that resume exactly where they were stopped."""

from itertools import count
from typing import Any, Dict, Iterator, Sequence, Union

import torch
from mmdet.registry import LOOPS
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader

from ..errors import InputError
from .resumable_sampler import ResumableBatchSampler, number_of


def with_resumable_batches(
    dataloader: Union[DataLoader, Dict[str, Any]],
) -> Union[DataLoader, Dict[str, Any]]:
    """Set :class:`ResumableBatchSampler` in a data loader's config.

    Raises:
        InputError: The config names a batch sampler that cannot resume.
    """
    if isinstance(dataloader, dict):
        dataloader = dict(dataloader)
        batches = dict(
            dataloader.get('batch_sampler') or dict(type=ResumableBatchSampler)
        )
        # mmengine passes this to the batch sampler only.
        if 'drop_last' in dataloader:
            batches.setdefault('drop_last', dataloader.pop('drop_last'))
        dataloader['batch_sampler'] = batches
    return dataloader


def batch_sampler_of(dataloader: DataLoader) -> ResumableBatchSampler:
    """Return the batch sampler of a loader.

    Raises:
        InputError: It cannot resume.
    """
    batches = dataloader.batch_sampler
    if not isinstance(batches, ResumableBatchSampler):
        raise InputError.of(
            'train_dataloader',
            'batch_sampler',
            type(batches).__name__,
            'ResumableBatchSampler or a subclass; or a train_cfg.type of '
            "mmengine's own loops",
        )
    return batches


def seed_step(seed: int, step: int) -> None:
    """Seed the random choices of a step (dropout, ...) by its number."""
    torch.manual_seed(number_of((seed, get_rank(), step)))


@LOOPS.register_module()
class ResumableEpochTrainLoop(EpochBasedTrainLoop):
    """Epoch-based loop that resumes within an epoch.

    With a checkpoint every N iterations (``default_hooks.checkpoint`` with
    ``by_epoch=False``), a training that was killed and resumed gives the
    same losses as one that was not: the order of the samples and all random
    choices depend only on the seed, the epoch and the position in it. The
    seed is stored in the checkpoint.

    Args:
        runner, dataloader, kwargs: As in mmengine's loop.
    """

    def __init__(
        self, runner: Any, dataloader: Union[DataLoader, Dict], **kwargs: Any
    ) -> None:
        super().__init__(runner, with_resumable_batches(dataloader), **kwargs)
        self.batches = batch_sampler_of(self.dataloader)

    def run_epoch(self) -> None:
        """Iterate over the rest of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = max(0, self._iter - self._epoch * len(self.dataloader))
        self.batches.begin(self.runner.seed, self._epoch, done)
        for index, batch in enumerate(self.dataloader, start=done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        seed_step(self.runner.seed, self._iter)
        super().run_iter(idx, data_batch)


@LOOPS.register_module()
class ResumableIterTrainLoop(IterBasedTrainLoop):
    """Iteration-based loop that resumes exactly.

    See :class:`ResumableEpochTrainLoop`.

    Args:
        runner, dataloader, kwargs: As in mmengine's loop.
    """

    def __init__(
        self, runner: Any, dataloader: Union[DataLoader, Dict], **kwargs: Any
    ) -> None:
        super().__init__(runner, with_resumable_batches(dataloader), **kwargs)
        batch_sampler_of(self.dataloader)

    def run(self) -> Any:
        # The checkpoint, and with it the seed, is loaded by now.
        self.dataloader_iterator = BatchesFrom(
            self.dataloader, self.runner.seed, self._iter
        )
        return super().run()

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        seed_step(self.runner.seed, self._iter)
        super().run_iter(data_batch)


class BatchesFrom:
    """Endless iterator over batches that skips the first ones.

    Args:
        dataloader: Loader with a :class:`ResumableBatchSampler`.
        seed: Seed of all random choices.
        done: Batches that were already used.
    """

    def __init__(self, dataloader: DataLoader, seed: int, done: int) -> None:
        self.dataloader = dataloader
        self.done = self.to_skip = done
        self.batches = self.iterate(batch_sampler_of(dataloader), seed, done)

    def iterate(
        self, sampler: ResumableBatchSampler, seed: int, done: int
    ) -> Iterator[Any]:
        # With an endless sampler the first epoch never ends.
        for epoch in count():
            sampler.begin(seed, epoch, done)
            yield from self.dataloader
            done = max(0, done - len(self.dataloader))

    def __iter__(self) -> 'BatchesFrom':
        return self

    def __next__(self) -> Any:
        # mmengine 0.10.7 requests the skipped batches one by one.
        if self.to_skip:
            self.to_skip -= 1
            return None
        return next(self.batches)

    def skip_iter(self, num_iters: int) -> None:
        """Skip batches; called by mmengine 0.10.12."""
        assert num_iters == self.done
        self.to_skip = 0
