"""Batches that are identical after a restart."""

import random
from contextlib import contextmanager
from typing import Any, Iterator, List, Tuple

import numpy as np
import torch
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info
from torch.utils.data import BatchSampler


class SampleIndex(int):
    """An index that carries the random seed of its sample.

    The seed is kept where a wrapper such as ``ConcatDataset`` shifts the
    index.

    Args:
        index: Index into the data set.
        seed: Numbers that identify this draw.
    """

    seed: Tuple[int, ...]

    def __new__(cls, index: int, seed: Tuple[int, ...]) -> 'SampleIndex':
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    # int's version has one argument; workers need the seed, too.
    def __getnewargs__(  # type: ignore[override]
        self,
    ) -> Tuple[int, Tuple[int, ...]]:
        return int(self), self.seed

    def __sub__(self, offset: int) -> 'SampleIndex':
        return SampleIndex(int(self) - offset, self.seed)


def number_of(seed: Tuple[int, ...]) -> int:
    """Hash several numbers to one, 0 to 2**32 - 1."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


@contextmanager
def drawn_from(seed: Tuple[int, ...]) -> Iterator[None]:
    """Seed all random generators inside the context; restore them after."""
    number = number_of(seed)
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(number)
        np.random.seed(number)
        torch.default_generator.manual_seed(number)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


@DATA_SAMPLERS.register_module()
class ResumableBatchSampler(BatchSampler):
    """Batches that are identical after a restart.

    The random choices for a sample (clip, augmentation) depend on the seed,
    the epoch, the process and the position of the sample, not on the state
    of its worker. Batches that were already used are skipped without reading
    them. :class:`ResumableEpochTrainLoop` and
    :class:`ResumableIterTrainLoop` say where to begin.

    Args:
        sampler: Sampler of indices.
        batch_size: Samples per batch of one process.
        drop_last: Drop an incomplete last batch.
    """

    def __init__(
        self, sampler: Any, batch_size: int, drop_last: bool = False
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.sampler: Any
        self.rank, self.world_size = get_dist_info()
        self.begin(0)

    def begin(self, seed: int, epoch: int = 0, done: int = 0) -> None:
        """Set which batches come next.

        Args:
            seed: Seed of all random choices, including the order of samples.
            epoch: Number of the pass over the data.
            done: Batches of this epoch that were already used.
        """
        self.seed, self.epoch, self.done = seed, epoch, done
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[List[int]]:
        seed = (self.seed, self.epoch, self.rank)
        # The next epoch begins at its start unless `begin` is called.
        done, self.done = self.done, 0
        for number, batch in enumerate(self.make_batches()):
            if number >= done:
                yield [
                    SampleIndex(index, (*seed, number, place))
                    for place, index in enumerate(batch)
                ]

    def make_batches(self) -> Iterator[List[int]]:
        """Group the sampler's indices."""
        return super().__iter__()
