"""Training loops that go on as if they had never been stopped."""

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
    """Let a data loader's config say :class:`ResumableBatchSampler`.

    Raises:
        InputError: It names a batch sampler that does not know how.
    """
    if isinstance(dataloader, dict):
        dataloader = dict(dataloader)
        batches = dict(
            dataloader.get('batch_sampler') or dict(type=ResumableBatchSampler)
        )
        # mmengine leaves that to the batch sampler.
        if 'drop_last' in dataloader:
            batches.setdefault('drop_last', dataloader.pop('drop_last'))
        dataloader['batch_sampler'] = batches
    return dataloader


def batch_sampler_of(dataloader: DataLoader) -> ResumableBatchSampler:
    """The loader's batch sampler.

    Raises:
        InputError: It does not know how to go on.
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
    """Let what a step draws (dropout, ...) follow from its number."""
    torch.manual_seed(number_of((seed, get_rank(), step)))


@LOOPS.register_module()
class ResumableEpochTrainLoop(EpochBasedTrainLoop):
    """Epochs that go on where a checkpoint within them was written.

    With a checkpoint every so many iterations (``default_hooks.checkpoint``
    with ``by_epoch=False``), a training that was killed gives the same
    losses as one that was not: the order of the samples and all that is
    drawn follow from the seed, the epoch and the place in it. The seed comes
    with the checkpoint.

    Args:
        runner, dataloader, kwargs: As of mmengine's loop.
    """

    def __init__(
        self, runner: Any, dataloader: Union[DataLoader, Dict], **kwargs: Any
    ) -> None:
        super().__init__(runner, with_resumable_batches(dataloader), **kwargs)
        self.batches = batch_sampler_of(self.dataloader)

    def run_epoch(self) -> None:
        """Iterate over what is left of an epoch."""
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
    """Iterations that go on as those of :class:`ResumableEpochTrainLoop`.

    Args:
        runner, dataloader, kwargs: As of mmengine's loop.
    """

    def __init__(
        self, runner: Any, dataloader: Union[DataLoader, Dict], **kwargs: Any
    ) -> None:
        super().__init__(runner, with_resumable_batches(dataloader), **kwargs)
        batch_sampler_of(self.dataloader)

    def run(self) -> Any:
        # The checkpoint is loaded now, and with it the seed.
        self.dataloader_iterator = BatchesFrom(
            self.dataloader, self.runner.seed, self._iter
        )
        return super().run()

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        seed_step(self.runner.seed, self._iter)
        super().run_iter(data_batch)


class BatchesFrom:
    """Batches without end, the first ones passed over.

    Args:
        dataloader: With a :class:`ResumableBatchSampler`.
        seed: Of all that is drawn.
        done: Batches that were trained on.
    """

    def __init__(self, dataloader: DataLoader, seed: int, done: int) -> None:
        self.dataloader = dataloader
        self.done = self.to_skip = done
        self.batches = self.iterate(batch_sampler_of(dataloader), seed, done)

    def iterate(
        self, sampler: ResumableBatchSampler, seed: int, done: int
    ) -> Iterator[Any]:
        # An endless sampler's pass over the data is never over.
        for epoch in count():
            sampler.begin(seed, epoch, done)
            yield from self.dataloader
            done = max(0, done - len(self.dataloader))

    def __iter__(self) -> 'BatchesFrom':
        return self

    def __next__(self) -> Any:
        # mmengine 0.10.7 asks for the batches that were trained on.
        if self.to_skip:
            self.to_skip -= 1
            return None
        return next(self.batches)

    def skip_iter(self, num_iters: int) -> None:
        """mmengine 0.10.12 asks to pass over them."""
        assert num_iters == self.done
        self.to_skip = 0
