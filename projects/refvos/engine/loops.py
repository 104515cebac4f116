"""Training loops that resume exactly where they were stopped."""

import logging
from itertools import count
from typing import (
    Any,
    Dict,
    Iterator,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import torch
from mmdet.registry import LOOPS
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
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


class Place(NamedTuple):
    """Where a training is in its data.

    It is kept in the checkpoints: the number of an iteration says nothing
    where batches had another size, or processes another number.

    Args:
        epoch: Number of the pass over the data.
        iteration: An iteration of this epoch.
        seen: Samples of the epoch that were used before it.
        batch: Samples that are used in each iteration from it on.
        size: Samples of the data set.
    """

    epoch: int
    iteration: int
    seen: int
    batch: int
    size: int

    @classmethod
    def saved(cls, runner: Any) -> Optional['Place']:
        """Return the place in the checkpoint that was loaded."""
        found = runner.message_hub.runtime_info.get(PLACE)
        if (
            not isinstance(found, (tuple, list))
            or len(found) != len(cls._fields)
            or not all(isinstance(each, int) for each in found)
        ):
            return None
        return cls(*found)

    def save(self, runner: Any) -> None:
        """Put it where checkpoints keep it."""
        runner.message_hub.update_info(PLACE, tuple(self))


PLACE = 'place_in_data'


def samples_at_once(dataloader: DataLoader) -> int:
    """Count the samples of an iteration in all processes."""
    return batch_sampler_of(dataloader).batch_size * get_world_size()


def samples_seen(runner: Any, epoch: int, iteration: int) -> Optional[int]:
    """Count the samples of an epoch that a checkpoint's training has used.

    Args:
        runner: Its message hub has the place of the checkpoint.
        epoch: Of the checkpoint.
        iteration: Of the checkpoint.

    Returns:
        The samples; None for a checkpoint without a place.
    """
    place = Place.saved(runner)
    if place is None or iteration < place.iteration:
        return None
    if place.epoch != epoch:
        return 0
    return place.seen + (iteration - place.iteration) * place.batch


def tell(text: str) -> None:
    """Say how a resumed training differs from the one before."""
    print_log(text, logger='current', level=logging.WARNING)


@LOOPS.register_module()
class ResumableEpochTrainLoop(EpochBasedTrainLoop):
    """Epoch-based loop that resumes within an epoch.

    With a checkpoint every N iterations (``default_hooks.checkpoint`` with
    ``by_epoch=False``), a training that was killed and resumed gives the
    same losses as one that was not: the order of the samples and all random
    choices depend only on the seed, the epoch and the position in it. The
    seed is stored in the checkpoint. With another batch size or number of
    processes it goes on with the samples that were not used yet.

    Args:
        runner, dataloader, kwargs: As in mmengine's loop.
    """

    def __init__(
        self, runner: Any, dataloader: Union[DataLoader, Dict], **kwargs: Any
    ) -> None:
        super().__init__(runner, with_resumable_batches(dataloader), **kwargs)
        self.batches = batch_sampler_of(self.dataloader)
        # The epoch that is iterated over, and its first iteration.
        self.begun, self.first = -1, 0
        self.found: Dict[Tuple[int, int], int] = {}

    @property
    def max_iters(self) -> int:
        """Number of the last iteration, by the batches that there are now."""
        epochs = self._max_epochs - self._epoch
        return self._iter - self.done() + epochs * len(self.dataloader)

    def done(self) -> int:
        """Count the batches of this epoch that were used already."""
        if self.begun == self._epoch:
            return self._iter - self.first
        # Resumed, or between two epochs.
        moment = (self._epoch, self._iter)
        if moment not in self.found:
            self.found = {moment: self.find_done()}
        return self.found[moment]

    def find_done(self) -> int:
        """Count the batches that a checkpoint's training has used.

        A batch of which some samples were used comes again as a whole.
        """
        length, size = len(self.dataloader), len(self.dataloader.dataset)
        seen = samples_seen(self.runner, self._epoch, self._iter)
        if seen is None:
            # A checkpoint without a place; its batches may have had another
            # size.
            rest = self._iter - self._epoch * length
            return rest if 0 <= rest < length else 0
        place = Place.saved(self.runner)
        if not seen or place is None:
            return 0
        if place.size != size:
            tell(
                f'The data set has {size} samples, {place.size} in the '
                'checkpoint: the epoch begins again'
            )
            return 0
        batch = samples_at_once(self.dataloader)
        done = length if seen >= size else min(seen // batch, length)
        if place.batch != batch:
            tell(
                f'{batch} samples an iteration, {place.batch} in the '
                f'checkpoint: {done} of {length} iterations are done'
            )
        return done

    def run_epoch(self) -> None:
        """Iterate over the rest of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self.done()
        self.begun, self.first = self._epoch, self._iter - done
        batch_size = samples_at_once(self.dataloader)
        Place(
            epoch=self._epoch,
            iteration=self._iter,
            seen=done * batch_size,
            batch=batch_size,
            size=len(self.dataloader.dataset),
        ).save(self.runner)
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
        batch = samples_at_once(self.dataloader)
        seen = samples_seen(self.runner, 0, self._iter)
        if seen is None:
            seen = self._iter * batch
        done = seen // batch
        Place(
            epoch=0,
            iteration=self._iter,
            seen=done * batch,
            batch=batch,
            size=len(self.dataloader.dataset),
        ).save(self.runner)
        self.dataloader_iterator = BatchesFrom(
            self.dataloader, self.runner.seed, done, self._iter
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
        to_skip: How many times mmengine will skip one: the iterations that
            are done, of whatever size their batches were. By default as
            many as were used.
    """

    def __init__(
        self,
        dataloader: DataLoader,
        seed: int,
        done: int,
        to_skip: Optional[int] = None,
    ) -> None:
        self.dataloader = dataloader
        self.to_skip = done if to_skip is None else to_skip
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
        assert num_iters == self.to_skip
        self.to_skip = 0
