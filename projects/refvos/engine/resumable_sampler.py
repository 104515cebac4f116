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
    """An index that brings the seed of what is drawn for its sample.

    It stays one where a wrapper such as ``ConcatDataset`` shifts it.

    Args:
        index: Of the data set.
        seed: Numbers that tell this draw from all others.
    """

    seed: Tuple[int, ...]

    def __new__(cls, index: int, seed: Tuple[int, ...]) -> 'SampleIndex':
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    # int's has one argument: workers get the seed, too.
    def __getnewargs__(  # type: ignore[override]
        self,
    ) -> Tuple[int, Tuple[int, ...]]:
        return int(self), self.seed

    def __sub__(self, offset: int) -> 'SampleIndex':
        return SampleIndex(int(self) - offset, self.seed)


def number_of(seed: Tuple[int, ...]) -> int:
    """One number, 0 to 2**32 - 1, of several."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


@contextmanager
def drawn_from(seed: Tuple[int, ...]) -> Iterator[None]:
    """Let what is drawn inside follow from a seed, and nothing else."""
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
    """Batches that are the same after a start anew.

    What is drawn for a sample (clip, augmentation) follows from the seed,
    the epoch, the process and the sample's place in it, not from what its
    worker has drawn before; and batches that were trained on are passed over
    without reading them. Made for :class:`ResumableEpochTrainLoop` and
    :class:`ResumableIterTrainLoop`, which tell it where to begin.

    Args:
        sampler: Gives the indices.
        batch_size: Of one process.
        drop_last: Leave out a last batch of fewer.
    """

    def __init__(
        self, sampler: Any, batch_size: int, drop_last: bool = False
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.sampler: Any
        self.rank, self.world_size = get_dist_info()
        self.begin(0)

    def begin(self, seed: int, epoch: int = 0, done: int = 0) -> None:
        """Say which batches come next.

        Args:
            seed: Of all that is drawn, the order of the samples included.
            epoch: Pass over the data.
            done: Batches of it that were trained on.
        """
        self.seed, self.epoch, self.done = seed, epoch, done
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[List[int]]:
        seed = (self.seed, self.epoch, self.rank)
        # The next pass begins at its start, unless told otherwise.
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
